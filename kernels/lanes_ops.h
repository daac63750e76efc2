#pragma once

// Bodies of the vector ops for one instruction set, and the table that names them. See math.h, rms_norm.h, rope.h, silu_mul.h,
// gelu_mul.h, softcap.h, attention.h for what each computes.

#include "kernels/lanes_attention.h"

namespace spillway::kernels::SPILLWAY_LANES {

template <class F>
inline void map(const float* x, float* y, std::size_t n, F f) {
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) store(y + i, f(load(x + i)));
  if (i < n) store_n(y + i, f(load_n(x + i, n - i)), n - i);
}

template <class F>
inline void map(const float* a, const float* b, float* y, std::size_t n, F f) {
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) store(y + i, f(load(a + i), load(b + i)));
  if (i < n) store_n(y + i, f(load_n(a + i, n - i), load_n(b + i, n - i)), n - i);
}

inline void exp_body(const float* x, float* y, std::size_t n) {
  map(x, y, n, [](F16 a) { return exp16(a); });
}
inline void log_body(const float* x, float* y, std::size_t n) {
  map(x, y, n, [](F16 a) { return log16(a); });
}
inline void sin_body(const float* x, float* y, std::size_t n) {
  map(x, y, n, [](F16 a) { return sincos16(a).sin; });
}
inline void cos_body(const float* x, float* y, std::size_t n) {
  map(x, y, n, [](F16 a) { return sincos16(a).cos; });
}

inline void rms_norm_body(const float* x, const float* weight, float* y, std::size_t n, float epsilon) {
  F16 squares = set1(0.0F);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const F16 a = load(x + i);
    squares = fma(a, a, squares);
  }
  if (i < n) {
    const F16 a = load_n(x + i, n - i);
    squares = fma(a, a, squares);
  }
  const float mean = sum(squares) / static_cast<float>(n);
  const F16 scale = set1(1.0F / __builtin_sqrtf(mean + epsilon));
  for (i = 0; i + lanes <= n; i += lanes) store(y + i, mul(mul(load(x + i), scale), load(weight + i)));
  if (i < n) store_n(y + i, mul(mul(load_n(x + i, n - i), scale), load_n(weight + i, n - i)), n - i);
}

inline F16 rotate(F16 x, F16 cos2, F16 sin2) {
  return add(mul(x, cos2), mul(swap_pairs(x), sin2));
}
inline void rope_body(float* x, const float* cos2, const float* sin2, std::size_t n) {
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) store(x + i, rotate(load(x + i), load(cos2 + i), load(sin2 + i)));
  if (i < n) store_n(x + i, rotate(load_n(x + i, n - i), load_n(cos2 + i, n - i), load_n(sin2 + i, n - i)), n - i);
}

inline void rope_halves_body(float* x, const float* cos2, const float* sin2, std::size_t n) {
  const std::size_t half = n / 2;
  const auto turn = [](F16 a, F16 b, F16 c, F16 s) { return add(mul(a, c), mul(b, s)); };
  std::size_t i = 0;
  for (; i + lanes <= half; i += lanes) {
    const F16 a = load(x + i), b = load(x + half + i), c = load(cos2 + i);
    store(x + i, turn(a, b, c, load(sin2 + i)));
    store(x + half + i, turn(b, a, c, load(sin2 + half + i)));
  }
  if (const std::size_t rest = half - i; rest > 0) {
    const F16 a = load_n(x + i, rest), b = load_n(x + half + i, rest), c = load_n(cos2 + i, rest);
    store_n(x + i, turn(a, b, c, load_n(sin2 + i, rest)), rest);
    store_n(x + half + i, turn(b, a, c, load_n(sin2 + half + i, rest)), rest);
  }
}

inline F16 silu(F16 gate, F16 up) {
  const F16 one = set1(1.0F);
  return mul(div(gate, add(one, exp16(sub(set1(0.0F), gate)))), up);
}
inline void silu_mul_body(const float* gate, const float* up, float* y, std::size_t n) {
  map(gate, up, y, n, [](F16 g, F16 u) { return silu(g, u); });
}

inline F16 gelu(F16 gate, F16 up) {
  const F16 cube = mul(mul(gate, gate), gate);
  const F16 inner = fma(set1(0.044715F), cube, gate);
  const F16 e = exp16(mul(inner, set1(-1.59576912F)));  // -2 sqrt(2 / pi)
  return mul(div(gate, add(set1(1.0F), e)), up);
}
inline void gelu_mul_body(const float* gate, const float* up, float* y, std::size_t n) {
  map(gate, up, y, n, [](F16 g, F16 u) { return gelu(g, u); });
}

inline void softcap_body(float* x, std::size_t n, float cap) {
  map(x, x, n, [cap](F16 a) {
    const F16 zero = set1(0.0F), one = set1(1.0F);
    const F16 z = div(a, set1(cap));
    const Mask negative = less(z, zero);
    const F16 e = exp16(mul(set1(-2.0F), select(negative, sub(zero, z), z)));
    const F16 t = div(sub(one, e), add(one, e));
    return mul(set1(cap), select(negative, sub(zero, t), t));
  });
}

inline void store_values_body(const float* x, std::byte* y, std::size_t n, bool half) {
  if (!half) {
    __builtin_memcpy(y, x, n * sizeof(float));
    return;
  }
  auto* to = reinterpret_cast<std::uint16_t*>(y);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) store_half(to + i, load(x + i));
  if (i < n) store_half_n(to + i, load_n(x + i, n - i), n - i);
}

}  // namespace spillway::kernels::SPILLWAY_LANES

#define SPILLWAY_VECTOR_OPS                                                                                                                \
  {                                                                                                                                        \
    SPILLWAY_LANES::exp_body, SPILLWAY_LANES::log_body, SPILLWAY_LANES::sin_body, SPILLWAY_LANES::cos_body, SPILLWAY_LANES::rms_norm_body, \
        SPILLWAY_LANES::rope_body, SPILLWAY_LANES::rope_halves_body, SPILLWAY_LANES::silu_mul_body, SPILLWAY_LANES::gelu_mul_body,         \
        SPILLWAY_LANES::softcap_body, SPILLWAY_LANES::store_values_body, SPILLWAY_LANES::attention_body                                    \
  }
