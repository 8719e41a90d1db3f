// Loops over axes, by their sizes and strides: repetitions, reductions, and the gradient of a maximum.
#include <cstdint>

// An axis of two values at once: of the one that has all elements, and of the one that goes on in steps of STRIDE there; 0
// where it is repeated, or the first one folded into it.
template <int64_t SIZE, int64_t STRIDE>
struct Axis {
  static constexpr int64_t size = SIZE, stride = STRIDE;
};

template <typename... Axes>
constexpr int64_t kSize = (1 * ... * Axes::size);

// For all positions on the folded axes, or on the others, but for the last axis: how far they are in either value.
template <bool FOLDED, typename A, typename... Axes, typename F>
static inline void each_(F f, int64_t whole = 0, int64_t part = 0) {
  if constexpr (sizeof...(Axes) == 0) {
    f(whole, part);
  } else if constexpr (FOLDED != (A::stride == 0)) {
    each_<FOLDED, Axes...>(f, whole, part);
  } else {
    for (int64_t k = 0; k < A::size; ++k) each_<FOLDED, Axes...>(f, whole + k * kSize<Axes...>, part + k * A::stride);
  }
}

// As many numbers of 4 bytes as the CPU moves at once; nothing but speed depends on it.
#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
typedef int32_t Mask __attribute__((vector_size(kLanes * sizeof(int32_t)), aligned(4), may_alias));

// x[source], lane by lane; Clang has no such builtin for lanes that are not constant.
static inline Mask permuted_(Mask x, Mask source) {
#ifdef __clang__
  Mask y;
  for (int l = 0; l < kLanes; ++l) y[l] = x[source[l] % kLanes];
  return y;
#else
  return __builtin_shuffle(x, source);
#endif
}

// Each of RUNS runs of C elements comes TIMES times. As loops over so few would be too short for vectors, each vector is
// filled with as many runs as it has room for; the last ones do not go beyond the ends.
template <int RUNS, int TIMES, int C, typename T>
static inline void repeatRuns_(T* to, const T* from) {
  constexpr int kTimes = TIMES * C, kAll = RUNS * kTimes, kGroup = kLanes / kTimes * kTimes, kLast = RUNS * C - kLanes;
  if constexpr (sizeof(T) == 4 && kGroup > 0 && kGroup <= kAll && kLast >= 0) {
    Mask source;
    for (int l = 0; l < kLanes; ++l) source[l] = l / kTimes * C + l % C;
#pragma GCC unroll 16
    for (int i = 0; i < kAll; i += kGroup) {
      const int at = i < kAll - kGroup ? i : kAll - kGroup, begin = at / TIMES, read = begin < kLast ? begin : kLast;
      const Mask y = permuted_(*reinterpret_cast<const Mask*>(from + read), source + (begin - read));
      __builtin_memcpy(to + at, &y, at + kLanes <= kAll ? sizeof y : kGroup * sizeof(T));
    }
  } else {
    for (int k = 0; k < RUNS; ++k)
      for (int i = 0; i < kTimes; ++i) to[k * kTimes + i] = from[k * C + i % C];
  }
}

// Whether all there is to some axes is that runs, too short for vectors, are repeated. Of so many the compiler may have code
// for each vector.
template <typename...>
constexpr bool kShortRuns = false;
template <int64_t RUNS, int64_t TIMES, int64_t C>
constexpr bool kShortRuns<Axis<RUNS, C>, Axis<TIMES, 0>, Axis<C, 1>> = RUNS <= 256 && C < 16;
template <int64_t RUNS, int64_t TIMES>
constexpr bool kShortRuns<Axis<RUNS, 1>, Axis<TIMES, 0>> = RUNS <= 256;

// Fills `to` with `from`, which is repeated along axes of stride 0.
template <typename A, typename... Axes, typename T>
static inline void expand_(T* to, const T* from) {
  constexpr int64_t kRest = kSize<Axes...>;
  if constexpr (kShortRuns<A, Axes...>) {
    repeatRuns_<A::size, kRest / A::stride, A::stride>(to, from);
  } else if constexpr (sizeof...(Axes) == 0) {
#pragma GCC ivdep
    for (int64_t i = 0; i < A::size; ++i) to[i] = from[i * A::stride];
  } else if constexpr (A::stride == 0 && !kShortRuns<Axes...>) {
    expand_<Axes...>(to, from);
    // What is there is copied, twice as much each time.
    for (int64_t n = 1; n < A::size; n *= 2)
      __builtin_memcpy(to + n * kRest, to, (n < A::size - n ? n : A::size - n) * kRest * sizeof(T));
  } else {
    // What was just written in parts cannot be read at once: short runs are repeated from where they were.
    for (int64_t k = 0; k < A::size; ++k) expand_<Axes...>(to + k * kRest, from + k * A::stride);
  }
}

// What reductions begin with, and how they put two values together.
struct Sum {
  static constexpr float start = 0;
  static inline float of(float a, float b) { return a + b; }
};
struct Max {
  static constexpr float start = -__builtin_inff();
  static inline float of(float a, float b) { return max_(a, b); }
};
struct Min {
  static constexpr float start = __builtin_inff();
  static inline float of(float a, float b) { return min_(a, b); }
};
// Begins and goes on as TensorFlow's pooling does, which passes over NaN.
struct MaxOfWindow {
  static constexpr float start = -__FLT_MAX__;
  static inline float of(float a, float b) { return b > a ? b : a; }
};

// N reductions side by side.
template <typename Op, int64_t N>
static inline void clear_(float* y) {
#pragma GCC ivdep
  for (int64_t i = 0; i < N; ++i) y[i] = Op::start;
}
template <typename Op, int64_t N>
static inline void add_(float* y, const float* x) {
#pragma GCC ivdep
  for (int64_t i = 0; i < N; ++i) y[i] = Op::of(y[i], x[i]);
}
template <int64_t N>
static inline void divide_(float* y, float by) {
#pragma GCC ivdep
  for (int64_t i = 0; i < N; ++i) y[i] /= by;
}

// Of n values: in sixteen sums side by side, whatever the width of the CPU's vectors.
template <typename Op>
static inline float all_(const float* x, int64_t n) {
  float a[16];
  clear_<Op, 16>(a);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) add_<Op, 16>(a, x + i);
  for (int l = 0; i + l < n; ++l) a[l] = Op::of(a[l], x[i + l]);
  for (int step = 8; step > 0; step /= 2)
    for (int l = 0; l < step; ++l) a[l] = Op::of(a[l], a[l + step]);
  return a[0];
}

// Puts together what the chunks have, in their order: so many numbers apart from each other.
template <typename Op, int64_t N>
static inline void finish_(float* y, const float* x, int64_t chunks, int64_t apart, float by) {
  clear_<Op, N>(y);
  for (int64_t c = 0; c < chunks; ++c) add_<Op, N>(y, x + c * apart);
  divide_<N>(y, by);
}

// Reduces `from` over its axes of stride 0 into `to`, and divides that, by 1 but for means.
template <typename Op, typename... Axes>
static inline void reduce_(float* to, const float* from, float by) {
  constexpr int64_t kLast = (Axes::size, ...), kFolded = (1 * ... * (Axes::stride == 0 ? Axes::size : 1));
  each_<false, Axes...>([&](int64_t whole, int64_t part) {
    const float* const x = from + whole;
    float* const y = to + part;
    if constexpr ((Axes::stride, ...) == 0) {
      float a = Op::start;
      each_<true, Axes...>([&](int64_t at, int64_t) { a = Op::of(a, all_<Op>(x + at, kLast)); });
      *y = a / by;
    } else if constexpr (kFolded <= 16) {
      // So small a window is added up in one expression.
#pragma GCC ivdep
      for (int64_t i = 0; i < kLast; ++i) {
        float a = Op::start;
        each_<true, Axes...>([&](int64_t at, int64_t) { a = Op::of(a, x[at + i]); });
        y[i] = a / by;
      }
    } else {
      clear_<Op, kLast>(y);
      each_<true, Axes...>([&](int64_t at, int64_t) { add_<Op, kLast>(y, x + at); });
      divide_<kLast>(y, by);
    }
  });
}

// The gradient of a maximum over axes of stride 0, of which the last is none: the first element that is the maximum gets all
// of it, or the first of all.
template <typename... Axes>
static inline void route_(float* to, const float* x, const float* maxima, const float* gradient) {
  each_<false, Axes...>([&](int64_t whole, int64_t part) {
#pragma GCC ivdep
    for (int64_t i = 0; i < (Axes::size, ...); ++i) {
      const float most = maxima[part + i];
      float d = gradient[part + i];
      each_<true, Axes...>([&](int64_t at, int64_t) {
        const bool hit = x[whole + at + i] == most;
        to[whole + at + i] = hit ? d : 0;
        d = hit ? 0 : d;
      });
      // In a window of nothing but NaN or -inf none is.
      to[whole + i] += d;
    }
  });
}
