// What families do beside products and attention: biases, norms of heads, norms behind blocks,
// multipliers, soft-caps, and activations that no product applies.
//
//   kernel            grid                      threads
//   add_bias_*        rows                      256
//   add_expert_bias_* rows                      256
//   rms_norm_f32      rows                      256
//   norm_heads        rows, heads               256
//   add_branch        rows                      256
//   scale, softcap    rows, parts of a row      256
//   geglu, xielu,
//   clamped_swiglu    rows, parts of a row      256
//   clear_rows        rows, parts of a row      256
//
// A row's parts are any number of blocks that share its elements. Sums are taken in an order that
// depends on a row's length alone.
#include "sums.cuh"

static __device__ __forceinline__ float to_float(float x) { return x; }
static __device__ __forceinline__ float to_float(bf16 x) { return __bfloat162float(x); }
static __device__ __forceinline__ void from_float(float &to, float x) { to = x; }
static __device__ __forceinline__ void from_float(bf16 &to, float x) {
  to = __float2bfloat16_rn(x);
}

// What x / rms(x) multiplies x with.
template <class T>
static __device__ __forceinline__ float rms_scale(const T *x, int len, float eps) {
  float sum = 0.0f;
  for (int i = threadIdx.x; i < len; i += NUM_THREADS) {
    const float v = to_float(x[i]);
    sum = fmaf(v, v, sum);
  }
  return rsqrtf(sum_of_block(sum) / static_cast<float>(len) + eps);
}

template <class T>
static __device__ __forceinline__ void add_bias(T *x, const float *bias, int width) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  T *row = x + static_cast<size_t>(blockIdx.x) * width;
  for (int i = threadIdx.x; i < width; i += NUM_THREADS) {
    from_float(row[i], to_float(row[i]) + bias[i]);
  }
}

extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    add_bias_f32(float *x, const float *bias, int width) {
  add_bias(x, bias, width);
}

extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    add_bias_bf16(bf16 *x, const float *bias, int width) {
  add_bias(x, bias, width);
}

// The same with the bias of the expert that a row belongs to.
template <class T>
static __device__ __forceinline__ void add_expert_bias(T *x, const float *biases,
                                                       const uint32_t *experts, int width) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  T *row = x + static_cast<size_t>(blockIdx.x) * width;
  const float *bias = biases + static_cast<size_t>(experts[blockIdx.x]) * width;
  for (int i = threadIdx.x; i < width; i += NUM_THREADS) {
    from_float(row[i], to_float(row[i]) + bias[i]);
  }
}

extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    add_expert_bias_f32(float *x, const float *biases, const uint32_t *experts, int width) {
  add_expert_bias(x, biases, experts, width);
}

extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    add_expert_bias_bf16(bf16 *x, const float *biases, const uint32_t *experts, int width) {
  add_expert_bias(x, biases, experts, width);
}

// out = x / rms(x) * weight in f32, for what decides on experts.
extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    rms_norm_f32(const float *x, const float *weight, float *out, int hidden, float eps) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const size_t row = static_cast<size_t>(blockIdx.x) * hidden;
  const float scale = rms_scale(x + row, hidden, eps);
  for (int i = threadIdx.x; i < hidden; i += NUM_THREADS) {
    out[row + i] = x[row + i] * scale * weight[i];
  }
}

// Norms, in place, the parts of queries and then those of keys inside a row: a part is as long as
// its weights, one head or all of them.
extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    norm_heads(bf16 *qkv, const float *q_weight, const float *k_weight, int q_len, int k_len,
               int q_width, int row_width, float eps) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int num_q = q_width / q_len;
  const int part = blockIdx.y;
  const bool is_query = part < num_q;
  const int len = is_query ? q_len : k_len;
  const float *weight = is_query ? q_weight : k_weight;
  bf16 *x = qkv + static_cast<size_t>(blockIdx.x) * row_width +
            (is_query ? part * q_len : q_width + (part - num_q) * k_len);
  const float scale = rms_scale(x, len, eps);
  for (int i = threadIdx.x; i < len; i += NUM_THREADS) {
    from_float(x[i], to_float(x[i]) * scale * weight[i]);
  }
}

// x += scale * branch, of the branch's norm where there are weights for one.
extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    add_branch(float *x, const float *branch, const float *weight, int hidden, float eps,
               float scale) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const size_t row = static_cast<size_t>(blockIdx.x) * hidden;
  const float norm = weight == nullptr ? 1.0f : rms_scale(branch + row, hidden, eps);
  for (int i = threadIdx.x; i < hidden; i += NUM_THREADS) {
    const float v = branch[row + i] * norm * (weight == nullptr ? 1.0f : weight[i]);
    x[row + i] = fmaf(scale, v, x[row + i]);
  }
}

// Calls `with` with each element of a row that this block has.
template <class F> static __device__ __forceinline__ void for_part(int width, F with) {
  const int step = NUM_THREADS * gridDim.y;
  for (int i = blockIdx.y * NUM_THREADS + threadIdx.x; i < width; i += step) {
    with(i);
  }
}

extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    scale_rows(float *x, int width, int stride, float scale) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  float *row = x + static_cast<size_t>(blockIdx.x) * stride;
  for_part(width, [&](int i) { row[i] *= scale; });
}

extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    softcap_rows(float *x, int width, int stride, float cap) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  float *row = x + static_cast<size_t>(blockIdx.x) * stride;
  for_part(width, [&](int i) { row[i] = cap * tanhf(row[i] / cap); });
}

extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    clear_rows(float *x, int width, int stride, float) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  float *row = x + static_cast<size_t>(blockIdx.x) * stride;
  for_part(width, [&](int i) { row[i] = 0.0f; });
}

// out = (up + 1) * gate * sigmoid(alpha * gate), the gate at most `limit` and the up within it, where
// a row of gate_up holds ffn numbers of each.
extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    clamped_swiglu(const bf16 *gate_up, bf16 *out, int ffn, int in_stride, int out_stride,
                   float alpha, float limit) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const bf16 *gates = gate_up + static_cast<size_t>(blockIdx.x) * in_stride;
  const bf16 *ups = gates + ffn;
  bf16 *to = out + static_cast<size_t>(blockIdx.x) * out_stride;
  for_part(ffn, [&](int i) {
    const float gate = fminf(to_float(gates[i]), limit);
    const float up = fmaxf(fminf(to_float(ups[i]), limit), -limit);
    from_float(to[i], (up + 1.0f) * gate / (1.0f + __expf(-alpha * gate)));
  });
}

// out = gelu(gate) * up, by tanh, where a row of gate_up holds ffn numbers of each.
extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    geglu(const bf16 *gate_up, bf16 *out, int ffn, int in_stride, int out_stride) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const bf16 *gates = gate_up + static_cast<size_t>(blockIdx.x) * in_stride;
  const bf16 *ups = gates + ffn;
  bf16 *to = out + static_cast<size_t>(blockIdx.x) * out_stride;
  for_part(ffn, [&](int i) {
    const float x = to_float(gates[i]);
    const float inner = fmaf(0.044715f * x * x, x, x) * 0.7978845608f;
    from_float(to[i], 0.5f * x * (1.0f + tanhf(inner)) * to_float(ups[i]));
  });
}

// alpha_p x² + x / 2 above zero, alpha_n (e^x - 1 - x) + x / 2 below.
extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    xielu(bf16 *x, int width, int stride, float alpha_p, float alpha_n) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  bf16 *row = x + static_cast<size_t>(blockIdx.x) * stride;
  for_part(width, [&](int i) {
    const float v = to_float(row[i]), linear = 0.5f * v;
    const float above = fmaf(alpha_p * v, v, linear);
    const float below = fmaf(expm1f(fminf(v, -1e-6f)) - v, alpha_n, linear);
    from_float(row[i], v > 0.0f ? above : below);
  });
}
