// What generated code computes with, besides C++'s own operators: free of branches, so that loops become vector code.
#include <cstddef>
#include <cstdint>

template <typename T>
static inline T* at(char* memory, int64_t offset) {
  return reinterpret_cast<T*>(memory + offset);
}

// NaN wins, as in TensorFlow's. Written so that the CPU's own instruction is used, which takes denormals as others do.
static inline float max_(float a, float b) {
  const float most = a > b ? a : b;
  return a != a ? a : most;
}
static inline float min_(float a, float b) {
  const float least = a < b ? a : b;
  return a != a ? a : least;
}
static inline float sign_(float x) { return x > 0 ? 1 : (x < 0 ? -1 : x + 0.0f); }  // the sum of -0 and 0 is 0

// As the CPU's own instruction has it for NaN and what is too large.
static inline int32_t int_(float x) {
  return (x >= -2147483648.0f) & (x < 2147483648.0f) ? static_cast<int32_t>(x) : INT32_MIN;
}

// By halves: of int_ and a conversion GCC 12 makes one rounding, which keeps -0, in some loops and not in others.
static inline float whole_(int32_t i) { return static_cast<float>(i >> 16) * 65536.0f + static_cast<float>(i & 0xffff); }

// Of the same bits.
template <typename To, typename From>
static inline To as_(From from) {
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}

// The highest power's factor comes first.
template <typename... Factors>
static inline float polynomial_(float x, float sum, Factors... factors) {
  ((sum = sum * x + factors), ...);
  return sum;
}

static inline float power_(int32_t k) { return as_<float>(static_cast<int32_t>((static_cast<uint32_t>(k) + 127u) << 23)); }

// x = k ln 2 + r with whole k and |r| <= ln 2 / 2; p = e^r - 1, by its Taylor series: the term left out is below 2^-26.
struct Reduced {
  float p;
  int32_t k;
};
static inline Reduced reduce_(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number, which its last bits are
  const float rounded = x * 1.44269504f + kRound;
  const float k = rounded - kRound;
  const float r = (x - k * 0.693359375f) - k * -2.12194440e-4f;
  const float q = polynomial_(r, 1.0f / 5040, 1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f);
  return {q * r * r + r, as_<int32_t>(rounded) - as_<int32_t>(kRound)};
}
// Beyond the bounds the results below are those at the bounds; NaN stays.
static inline float clamp_(float x, float least, float most) {
  x = x > most ? most : x;
  return x < least ? least : x;
}

static inline float exp_(float x) {
  const Reduced e = reduce_(clamp_(x, -104.0f, 89.0f));
  // In two steps, as 2^k alone need not be a float.
  const int32_t half = e.k >> 1;
  return (1.0f + e.p) * power_(half) * power_(e.k - half);
}

static inline float expm1_(float x) {
  const Reduced e = reduce_(clamp_(x, -104.0f, 89.0f));
  const int32_t half = e.k >> 1;
  const float s = power_(half), t = power_(e.k - half);
  const float near = e.p * s * t + (s * t - 1.0f), far = (1.0f + e.p) * s * t;
  return e.k > 60 ? far : (e.k == 0 ? (x == 0 ? x : e.p) : near);
}

// ln x by x = 2^k m with m in [sqrt(1/2), sqrt(2)) and ln m = 2 artanh((m - 1) / (m + 1)).
static inline float log_(float x) {
  const bool tiny = x < 1.17549435e-38f;
  const float y = tiny ? x * 8388608.0f : x;
  // Unsigned, as whole numbers that overflow have no meaning otherwise.
  const uint32_t u = as_<uint32_t>(y);
  const int32_t i = static_cast<int32_t>(u - 0x3f3504f3u);
  const int32_t e = i >> 23;
  const float k = static_cast<float>(e - (tiny ? 23 : 0));
  const float f = as_<float>(static_cast<int32_t>(u - (static_cast<uint32_t>(e) << 23))) - 1.0f;
  const float s = f / (2.0f + f), z = s * s;
  const float q = polynomial_(z, 2.0f / 11, 2.0f / 9, 2.0f / 7, 2.0f / 5, 2.0f / 3);
  const float half = 0.5f * f * f;
  const float value = k * 0.693359375f + (f - (half - (s * (half + z * q) + k * -2.12194440e-4f)));
  const float special = x == 0 ? -__builtin_inff() : (x > 0 ? x : __builtin_nanf(""));
  return (x > 0) & (x < __builtin_inff()) ? value : special;
}

static inline float log1p_(float x) {
  const float u = 1.0f + x;
  // What rounding took from u is put right by the slope; where nothing of x is left, ln(1 + x) = x.
  const float value = log_(u) * (x / (u - 1.0f));
  return u == 1.0f ? x : (u < __builtin_inff() ? value : log_(u));
}

static inline float sigmoid_(float x) {
  // From 2^-127, which is 0 here, to 2^128, which is infinite.
  const Reduced e = reduce_(clamp_(-x, -88.0f, 89.0f));
  return 1.0f / (1.0f + (1.0f + e.p) * power_(e.k));
}

static inline float tanh_(float x) {
  // From here on it is 1 to the last bit.
  const Reduced e = reduce_(clamp_(-2.0f * __builtin_fabsf(x), -20.0f, 0.0f));
  const float s = power_(e.k), m = e.p * s + (s - 1.0f);
  return __builtin_copysignf(-m / (2.0f + m), x);
}

static inline float softplus_(float x) {
  const float a = __builtin_fabsf(x);
  return max_(x, 0) + log1p_(exp_(-a));
}

// By its Taylor series up to 1, and beyond by Abramowitz and Stegun, 7.1.26.
static inline float erf_(float x) {
  const float a = __builtin_fabsf(x), z = x * x;
  const float q = polynomial_(z, -1.0f / 6894720, 1.0f / 685440, -1.0f / 75600, 1.0f / 9360, -1.0f / 1320, 1.0f / 216,
                              -1.0f / 42, 1.0f / 10, -1.0f / 3);
  const float near = 1.12837917f * (a + a * (q * z));
  const float t = 1.0f / (1.0f + 0.3275911f * a);
  const float r = polynomial_(t, 1.061405429f, -1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f);
  const float far = 1.0f - r * t * exp_(-z);
  return __builtin_copysignf(a < 1.0f ? near : (z == z ? far : x), x);
}
