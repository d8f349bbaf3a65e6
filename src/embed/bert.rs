//! A BERT encoder without padding.
//!
//! The texts of a batch lie one after the other along a single token axis, so that every matrix
//! product works on real tokens only; attention is computed text by text.
//! The architecture: Devlin et al., <https://arxiv.org/abs/1810.04805>.

use candle_core::{DType, Device, Tensor};

use super::config::{Activation, BertConfig, Pooling};
use super::error::ModelError;
use super::kernels;
use super::weights::Weights;

/// Weights as [in, out], the way that products of few tokens read them fastest.
struct Linear {
    weight: Tensor,
    bias: Tensor,
}

struct Layer {
    /// Query, key and value beside one another: [hidden, 3 * hidden]. The query's part carries the
    /// 1/√(head width) of attention.
    qkv: Linear,
    out: Tensor,
    /// [3, hidden]: the bias of `out`, then scale and shift of the normalisation behind it.
    out_norm: Tensor,
    up: Linear,
    down: Tensor,
    down_norm: Tensor,
}

/// The encoder with its weights, all f32.
pub struct Bert {
    device: Device,
    words: Tensor,
    /// Position embeddings with that of the first token type added.
    positions: Tensor,
    first_position: usize,
    embedding_norm: Tensor,
    layers: Vec<Layer>,
    heads: usize,
    activation: Activation,
    epsilon: f32,
}

impl Bert {
    pub fn load(config: &BertConfig, weights: &mut Weights, device: &Device) -> Result<Self, ModelError> {
        let (width, types) = (config.hidden_size, config.type_vocab_size);
        let words = weights.tensor("embeddings.word_embeddings.weight", &[config.vocab_size, width])?;
        let places = [config.max_position_embeddings, width];
        let positions = weights.tensor("embeddings.position_embeddings.weight", &places)?;
        let types = weights.tensor("embeddings.token_type_embeddings.weight", &[types, width])?;
        let no_bias = Tensor::zeros(width, DType::F32, &Device::Cpu)?;
        let norm = norm_parameters(weights, "embeddings.LayerNorm", &no_bias)?;
        let layers = (0..config.num_hidden_layers).map(|i| Layer::load(config, weights, i, device));
        Ok(Bert {
            words: words.to_device(device)?,
            positions: positions.broadcast_add(&types.get(0)?)?.to_device(device)?,
            first_position: config.first_position(),
            embedding_norm: norm.to_device(device)?,
            layers: layers.collect::<Result<_, ModelError>>()?,
            heads: config.num_attention_heads,
            activation: config.hidden_act,
            epsilon: config.layer_norm_eps,
            device: device.clone(),
        })
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    /// One vector a text, not normalised. `texts` are token ids with special tokens, each at most
    /// the window long and none empty. Between two layers `pause` is called, for more urgent work.
    pub fn forward(
        &self,
        texts: &[Vec<u32>],
        pooling: Pooling,
        pause: &mut dyn FnMut(),
    ) -> candle_core::Result<Tensor> {
        let spans = spans(texts);
        let ids = Tensor::new(texts.concat(), &self.device)?;
        let first = self.first_position as u32;
        let places: Vec<u32> = texts.iter().flat_map(|ids| first..first + ids.len() as u32).collect();
        let places = self.positions.index_select(&Tensor::new(places, &self.device)?, 0)?;
        let words = self.words.index_select(&ids, 0)?;
        let mut x = kernels::residual_norm(words, &places, &self.embedding_norm, self.epsilon)?;
        for layer in &self.layers {
            x = self.layer(layer, &x, &spans)?;
            pause();
        }
        let pooled = spans.iter().map(|&(start, length)| match pooling {
            Pooling::Mean => x.narrow(0, start, length)?.mean(0),
            Pooling::Cls => x.get(start),
        });
        Tensor::stack(&pooled.collect::<candle_core::Result<Vec<_>>>()?, 0)
    }

    fn layer(&self, layer: &Layer, x: &Tensor, spans: &[(usize, usize)]) -> candle_core::Result<Tensor> {
        let qkv = kernels::bias(product(x, &layer.qkv.weight)?, &layer.qkv.bias)?;
        let attended = spans.iter().map(|&(start, length)| self.attention(&qkv.narrow(0, start, length)?));
        let attended = attended.collect::<candle_core::Result<Vec<_>>>()?;
        let attended = match attended.as_slice() {
            [one] => one.clone(),
            many => Tensor::cat(many, 0)?,
        };
        let x = kernels::residual_norm(product(&attended, &layer.out)?, x, &layer.out_norm, self.epsilon)?;
        let inner =
            kernels::bias_activation(product(&x, &layer.up.weight)?, &layer.up.bias, self.activation)?;
        kernels::residual_norm(product(&inner, &layer.down)?, &x, &layer.down_norm, self.epsilon)
    }

    /// Attention within one text: [tokens, 3 * hidden] to [tokens, hidden].
    fn attention(&self, qkv: &Tensor) -> candle_core::Result<Tensor> {
        let (tokens, triple) = qkv.dims2()?;
        let width = triple / 3;
        // [3, heads, tokens, head width].
        let split = qkv.reshape((tokens, 3, self.heads, width / self.heads))?.permute((1, 2, 0, 3))?;
        // One copy for all three: a GPU multiplies no parts of wider rows.
        let split = split.contiguous()?;
        let (query, key, value) = (split.get(0)?, split.get(1)?, split.get(2)?);
        let weights = kernels::softmax(product(&query, &key.t()?)?)?;
        product(&weights, &value)?.transpose(0, 1)?.reshape((tokens, width))
    }
}

/// The product of two matrices, or of two batches of them.
fn product(lhs: &Tensor, rhs: &Tensor) -> candle_core::Result<Tensor> {
    #[cfg(test)]
    super::layouts::multiplied(lhs.layout(), rhs.layout());
    lhs.matmul(rhs)
}

impl Layer {
    fn load(
        config: &BertConfig,
        weights: &mut Weights,
        index: usize,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let mut linear = |name: &str, rows: usize, columns: usize| -> Result<(Tensor, Tensor), ModelError> {
            let path = format!("encoder.layer.{index}.{name}");
            let weight = weights.tensor(&format!("{path}.weight"), &[rows, columns])?;
            Ok((weight.t()?, weights.tensor(&format!("{path}.bias"), &[rows])?))
        };
        let scale = 1.0 / ((width / config.num_attention_heads) as f64).sqrt();
        let (query, query_bias) = linear("attention.self.query", width, width)?;
        let (key, key_bias) = linear("attention.self.key", width, width)?;
        let (value, value_bias) = linear("attention.self.value", width, width)?;
        let (out, out_bias) = linear("attention.output.dense", width, width)?;
        let (up, up_bias) = linear("intermediate.dense", inner, width)?;
        let (down, down_bias) = linear("output.dense", width, inner)?;
        let path = format!("encoder.layer.{index}");
        let out_norm = norm_parameters(weights, &format!("{path}.attention.output.LayerNorm"), &out_bias)?;
        let down_norm = norm_parameters(weights, &format!("{path}.output.LayerNorm"), &down_bias)?;
        let there = |tensor: &Tensor| tensor.contiguous()?.to_device(device);
        Ok(Layer {
            qkv: Linear {
                weight: there(&Tensor::cat(&[&(query * scale)?, &key, &value], 1)?)?,
                bias: there(&Tensor::cat(&[&(query_bias * scale)?, &key_bias, &value_bias], 0)?)?,
            },
            out: there(&out)?,
            out_norm: there(&out_norm)?,
            up: Linear { weight: there(&up)?, bias: there(&up_bias)? },
            down: there(&down)?,
            down_norm: there(&down_norm)?,
        })
    }
}

/// What [`kernels::residual_norm`] takes: `bias`, then scale and shift of the normalisation `name`.
fn norm_parameters(weights: &mut Weights, name: &str, bias: &Tensor) -> Result<Tensor, ModelError> {
    let width = bias.elem_count();
    let scale = weights.tensor(&format!("{name}.weight"), &[width])?;
    let shift = weights.tensor(&format!("{name}.bias"), &[width])?;
    Ok(Tensor::stack(&[bias, &scale, &shift], 0)?)
}

/// Start and length of each text on the token axis.
fn spans(texts: &[Vec<u32>]) -> Vec<(usize, usize)> {
    let starts = texts.iter().scan(0, |end, ids| {
        let start = *end;
        *end += ids.len();
        Some((start, ids.len()))
    });
    starts.collect()
}
