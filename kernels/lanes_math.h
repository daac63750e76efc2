#pragma once

// exp, log, sin and cos of sixteen lanes: the one arithmetic of all instruction sets (see math.h for domains and errors).

#include "kernels/lanes.h"

namespace spillway::kernels::SPILLWAY_LANES {

inline F16 quiet_nan() {
  return set1(bits_float(0x7fc00000U));
}
inline F16 infinity() {
  return set1(bits_float(0x7f800000U));
}

/// c[0] x^(n-1) + ... + c[n-1] by Horner's rule with fma.
template <std::size_t N>
inline F16 polynomial(const float (&c)[N], F16 x) {
  F16 r = set1(c[0]);
  for (std::size_t i = 1; i < N; ++i) r = fma(r, x, set1(c[i]));
  return r;
}

/// Coefficients: S. L. Moshier, Cephes mathematical library, expf (public domain numbers).
inline F16 exp16(F16 x) {
  constexpr float c[] = {1.9875691500e-4F, 1.3981999507e-3F, 8.3334519073e-3F, 4.1665795894e-2F, 1.6666665459e-1F, 5.0000001201e-1F};
  constexpr float x_max = 88.7228317F;   // above: infinity
  constexpr float x_min = -87.3365402F;  // below: 0, where the result would be subnormal
  const F16 n = rint(mul(x, set1(1.44269504F)));
  F16 r = fma(n, set1(-0.693359375F), x);
  r = fma(n, set1(2.12194440e-4F), r);
  const F16 y = add(fma(polynomial(c, r), mul(r, r), r), set1(1.0F));
  const F16 half = rint(mul(n, set1(0.5F)));  // 2^128 is no float: scale in two steps
  F16 e = mul(mul(y, pow2(half)), pow2(sub(n, half)));
  e = select(less(set1(x_max), x), infinity(), e);
  e = select(less(x, set1(x_min)), set1(0.0F), e);
  return select(unordered(x), quiet_nan(), e);
}

/// Coefficients: Cephes, logf.
inline F16 log16(F16 x) {
  constexpr float c[] = {7.0376836292e-2F,  -1.1514610310e-1F, 1.1676998740e-1F,  -1.2420140846e-1F, 1.4249322787e-1F,
                         -1.6668057665e-1F, 2.0000714765e-1F,  -2.4999993993e-1F, 3.3333331174e-1F};
  const Mask tiny = less(x, set1(0x1p-126F));
  const F16 scaled = select(tiny, mul(x, set1(0x1p23F)), x);
  F16 e = sub(exponent(scaled), select(tiny, set1(149.0F), set1(126.0F)));
  F16 m = and_or(scaled, 0x007fffffU, 0x3f000000U);  // in [0.5, 1)
  const Mask low = less(m, set1(0.707106781F));
  e = select(low, sub(e, set1(1.0F)), e);
  m = select(low, sub(add(m, m), set1(1.0F)), sub(m, set1(1.0F)));
  const F16 z = mul(m, m);
  F16 y = mul(mul(polynomial(c, m), m), z);
  y = fma(e, set1(-2.12194440e-4F), y);
  y = fma(z, set1(-0.5F), y);
  F16 r = fma(e, set1(0.693359375F), add(m, y));
  r = select(less(set1(bits_float(0x7f7fffffU)), x), infinity(), r);
  r = select(less(x, set1(bits_float(1U))), select(less(x, set1(0.0F)), quiet_nan(), set1(bits_float(0xff800000U))), r);
  return select(unordered(x), quiet_nan(), r);
}

struct SinCos16 {
  F16 sin, cos;
};

/// Coefficients: Cephes, sinf and cosf. Reduction by pi/2 in three parts with fma.
inline SinCos16 sincos16(F16 x) {
  constexpr float s[] = {-1.9515295891e-4F, 8.3321608736e-3F, -1.6666654611e-1F};
  constexpr float c[] = {2.443315711809948e-5F, -1.388731625493765e-3F, 4.166664568298827e-2F};
  const F16 n = rint(mul(x, set1(0.636619747F)));
  F16 r = fma(n, set1(-1.57079637F), x);
  r = fma(n, set1(4.37113883e-8F), r);
  r = fma(n, set1(1.71512451e-15F), r);
  const F16 z = mul(r, r);
  const F16 sine = fma(mul(polynomial(s, z), z), r, r);
  const F16 cosine = add(fma(mul(polynomial(c, z), z), z, mul(z, set1(-0.5F))), set1(1.0F));
  const Mask odd = has_bit(n, 0);
  const Mask half = has_bit(n, 1);
  const Mask turned = has_bit(add(n, set1(1.0F)), 1);
  const F16 zero = set1(0.0F);
  const F16 sin_part = select(odd, cosine, sine);
  const F16 cos_part = select(odd, sine, cosine);
  const Mask bad = unordered(sub(x, x));  // infinities too
  return {select(bad, quiet_nan(), select(half, sub(zero, sin_part), sin_part)),
          select(bad, quiet_nan(), select(turned, sub(zero, cos_part), cos_part))};
}

}  // namespace spillway::kernels::SPILLWAY_LANES
