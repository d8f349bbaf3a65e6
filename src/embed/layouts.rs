//! Which operands a GPU multiplies: cuBLAS takes matrices whose rows or columns lie one after the other, while the CPU
//! takes any strides, so that no test on it would see the difference.

use std::cell::RefCell;

use candle_core::Layout;

thread_local! {
    /// How many products this thread made, and those that a GPU would refuse.
    static PRODUCTS: RefCell<(usize, Vec<String>)> = const { RefCell::new((0, Vec::new())) };
}

/// Whether a GPU multiplies these: the rule of candle's `gemm_config` for CUDA.
fn multiplies(lhs: &Layout, rhs: &Layout) -> bool {
    let strides = |layout: &Layout| match layout.stride() {
        [.., rows, columns] => (*rows, *columns),
        _ => (0, 0),
    };
    let (m, k) = match lhs.dims() {
        [.., m, k] => (*m, *k),
        _ => return false,
    };
    let n = rhs.dims().last().copied().unwrap_or(0);
    let dense = |(rows, columns): (usize, usize), height: usize, width: usize| {
        ((columns == 1 || width == 1) && (rows == width || height == 1))
            || ((columns == height || width == 1) && (rows == 1 || height == 1))
    };
    // Of more than two matrices in a batch, one stride must lead from each to the next.
    let batches = |layout: &Layout| match (layout.stride(), layout.dims()) {
        ([first, second, _, _], [a, b, _, _]) => *first == second * b || *a == 1 || *b == 1,
        (strides, _) => strides.len() <= 3,
    };
    dense(strides(lhs), m, k) && dense(strides(rhs), k, n) && batches(lhs) && batches(rhs)
}

/// Looks at the operands of a product.
pub fn multiplied(lhs: &Layout, rhs: &Layout) {
    PRODUCTS.with_borrow_mut(|(count, refused)| {
        *count += 1;
        if !multiplies(lhs, rhs) {
            refused.push(format!("{lhs:?} x {rhs:?}"));
        }
    });
}

/// How many products of this thread were looked at since the last time, and which a GPU would refuse.
pub fn looked_at() -> (usize, Vec<String>) {
    PRODUCTS.take()
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};

    use super::*;

    #[test]
    fn views_are_multiplied_where_their_rows_or_columns_are_dense() {
        let tensor = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("a tensor");
        let wide = tensor(&[5, 3 * 8]);
        let square = tensor(&[8, 8]);
        let case = |lhs: &Tensor, rhs: &Tensor| multiplies(lhs.layout(), rhs.layout());
        assert!(case(&tensor(&[5, 8]), &square));
        assert!(case(&tensor(&[5, 8]), &square.t().expect("a view")));
        assert!(case(&tensor(&[8, 5]).t().expect("a view"), &square));
        assert!(case(&tensor(&[2, 5, 8]), &tensor(&[2, 5, 8]).t().expect("a view")));
        // A part of wider rows.
        assert!(!case(&wide.narrow(1, 8, 8).expect("a view"), &square));
        assert!(!case(&square, &wide.narrow(1, 8, 8).expect("a view").t().expect("a view")));
        // One row is dense, however far the next one would be.
        assert!(case(&wide.narrow(1, 8, 8).expect("a view").narrow(0, 0, 1).expect("a view"), &square));
    }
}
