//! The steps of an encoder between its matrix products, each one pass over memory on the CPU.
//!
//! candle computes erf and exp by scalar calls, which together take about as long as the matrix
//! products; [`super::rows`] has vectorised loops. Other devices use candle's own kernels.

use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, InplaceOp3, Layout, Result, Tensor};
use pulp::Arch;

use super::config::Activation;
use super::rows::{ActivateRows, AddRows, NormRows, SoftmaxRows};

/// `activation(x + bias)`, the bias along the last dimension.
pub fn bias_activation(x: Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
    if x.device().is_cpu() {
        x.inplace_op2(bias, &BiasActivation(activation))?;
        return Ok(x);
    }
    let x = x.broadcast_add(bias)?;
    match activation {
        Activation::Gelu => x.gelu_erf(),
        Activation::GeluTanh => x.gelu(),
        Activation::Relu => x.relu(),
    }
}

/// `x + bias`, the bias along the last dimension.
pub fn bias(x: Tensor, bias: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() {
        x.inplace_op2(bias, &Bias)?;
        return Ok(x);
    }
    x.broadcast_add(bias)
}

/// Softmax along the last dimension.
pub fn softmax(x: Tensor) -> Result<Tensor> {
    if x.device().is_cpu() {
        x.inplace_op1(&Softmax)?;
        return Ok(x);
    }
    candle_nn::ops::softmax_last_dim(&x)
}

/// Layer normalisation of `x + bias + residual`. `parameters` is [3, width]: the bias, then scale
/// and shift of the normalisation.
pub fn residual_norm(x: Tensor, residual: &Tensor, parameters: &Tensor, epsilon: f32) -> Result<Tensor> {
    if x.device().is_cpu() {
        x.inplace_op3(residual, parameters, &ResidualNorm(epsilon))?;
        return Ok(x);
    }
    let x = (x.broadcast_add(&parameters.get(0)?)? + residual)?;
    candle_nn::ops::layer_norm(&x, &parameters.get(1)?, &parameters.get(2)?, epsilon)
}

struct Bias;
struct BiasActivation(Activation);
struct Softmax;
struct ResidualNorm(f32);

impl InplaceOp2 for Bias {
    fn name(&self) -> &'static str {
        "bias"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, lx: &Layout, bias: &CpuStorage, lb: &Layout) -> Result<()> {
        let bias = read(bias, lb)?;
        Arch::new().dispatch(AddRows { rows: write(x, lx)?, bias });
        Ok(())
    }
}

impl InplaceOp2 for BiasActivation {
    fn name(&self) -> &'static str {
        "bias-activation"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, lx: &Layout, bias: &CpuStorage, lb: &Layout) -> Result<()> {
        let bias = read(bias, lb)?;
        Arch::new().dispatch(ActivateRows { rows: write(x, lx)?, bias, activation: self.0 });
        Ok(())
    }
}

impl InplaceOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let width = layout.dims().last().copied().unwrap_or_default();
        Arch::new().dispatch(SoftmaxRows { rows: write(x, layout)?, width });
        Ok(())
    }
}

impl InplaceOp3 for ResidualNorm {
    fn name(&self) -> &'static str {
        "residual-norm"
    }

    fn cpu_fwd(
        &self,
        x: &mut CpuStorage,
        lx: &Layout,
        residual: &CpuStorage,
        lr: &Layout,
        parameters: &CpuStorage,
        lp: &Layout,
    ) -> Result<()> {
        let (residual, parameters) = (read(residual, lr)?, read(parameters, lp)?);
        Arch::new().dispatch(NormRows { rows: write(x, lx)?, residual, parameters, epsilon: self.0 });
        Ok(())
    }
}

fn read<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let values = storage.as_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&values[start..end]),
        None => candle_core::bail!("the step needs contiguous tensors"),
    }
}

fn write<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => candle_core::bail!("the step needs contiguous f32 tensors"),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// Values of both signs, and a width that is no multiple of the lanes.
    fn sample(rows: usize, width: usize) -> Tensor {
        let values = (0..rows * width).map(|i| ((i * 37 % 101) as f32 - 50.0) / 9.0).collect();
        Tensor::from_vec(values, (rows, width), &Device::Cpu).expect("a tensor")
    }

    fn assert_close(ours: &Tensor, theirs: &Tensor) {
        let gap = (ours - theirs).and_then(|d| d.abs()?.max_all()?.to_scalar::<f32>()).expect("compares");
        assert!(gap < 3e-6, "the largest difference is {gap}");
    }

    #[test]
    fn activations_agree_with_candles() {
        let (x, b) = (sample(5, 37), sample(1, 37).squeeze(0).expect("a row"));
        let sum = x.broadcast_add(&b).expect("adds");
        let ours = |activation| bias_activation(x.copy().expect("copies"), &b, activation).expect("runs");
        assert_close(&ours(Activation::Gelu), &sum.gelu_erf().expect("runs"));
        assert_close(&ours(Activation::GeluTanh), &sum.gelu().expect("runs"));
        assert_close(&ours(Activation::Relu), &sum.relu().expect("runs"));
        assert_close(&bias(x.copy().expect("copies"), &b).expect("runs"), &sum);
    }

    #[test]
    fn softmax_agrees_with_candles_and_holds_for_large_values() {
        let x = (sample(5, 37) * 40.0).expect("scales");
        let theirs = candle_nn::ops::softmax_last_dim(&x).expect("runs");
        assert_close(&softmax(x).expect("runs"), &theirs);
    }

    #[test]
    fn residual_norm_agrees_with_candles() {
        let (x, residual, parameters) = (sample(5, 37), sample(6, 37).narrow(0, 1, 5), sample(3, 37));
        let residual = residual.expect("narrows");
        let row = |i| parameters.get(i).expect("a row");
        let sum = (x.broadcast_add(&row(0)).expect("adds") + &residual).expect("adds");
        let theirs = candle_nn::ops::layer_norm(&sum, &row(1), &row(2), 1e-12).expect("runs");
        assert_close(&residual_norm(x, &residual, &parameters, 1e-12).expect("runs"), &theirs);
    }
}
