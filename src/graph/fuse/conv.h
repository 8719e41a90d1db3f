// Convolutions of one image after the other, made for their shapes. Sums are in an order that no vector's width has a part in.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kRegisters = 32;
#else
constexpr int kRegisters = 16;
#endif
typedef float V __attribute__((vector_size(kLanes * sizeof(float)), aligned(4), may_alias));

// Here alone products are added without being rounded first, where the CPU can.
#if defined(__clang__)
#pragma clang fp contract(fast)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#pragma GCC push_options
// Numbers that are kept for the next turn take the registers of sums.
#pragma GCC optimize("fp-contract=fast", "no-predictive-commoning")
#define UNROLLED _Pragma("GCC unroll 64")
#endif
#define INLINED __attribute__((always_inline))

// Image [H, W, C], filter [KH, KW, C, F], stride S, result [OH, OW, F]; TOP and LEFT are the zeros before the image.
template <int h, int w, int c, int kh, int kw, int f, int s, int oh, int ow, int top, int left>
struct Shape {
  static constexpr int APART = 1;
  static constexpr bool IS_DEPTHWISE = false, IS_TURNED = false;
  static constexpr int H = h, W = w, C = c, KH = kh, KW = kw, F = f, S = s, OH = oh, OW = ow, TOP = top, LEFT = left;
};

constexpr int up_(int size, int to) { return (size + to - 1) / to * to; }
constexpr int common_(int a, int b) { return b == 0 ? a : common_(b, a % b); }
constexpr int least_(int a, int b) { return a < b ? a : b; }
constexpr int most_(int a, int b) { return a > b ? a : b; }

template <int N>
struct Int {
  static constexpr int value = N;
};
// Calls f(size, first) for parts of 0 … N - 1 that are no larger than MOST: all of one size but for the last.
template <int N, int MOST, typename F>
static inline INLINED void parts_(F f) {
  constexpr int count = (N + most_(MOST, 1) - 1) / most_(MOST, 1), size = (N + count - 1) / count;
  for (int i = 0; i + size <= N; i += size) f(Int<size>{}, i);
  if constexpr (N % size > 0) f(Int<N % size>{}, N - N % size);
}

static inline INLINED V& vector_(float* p) { return *reinterpret_cast<V*>(p); }
static inline INLINED const V& vector_(const float* p) { return *reinterpret_cast<const V*>(p); }
// The first N elements, of as many as there are for certain: what follows is read along, or 0.
template <int N>
static inline INLINED V load_(const float* p, int there) {
  if (N >= kLanes || there >= kLanes) return vector_(p);
  V v = {};
  __builtin_memcpy(&v, p, N * sizeof(float));
  return v;
}
template <int N>
static inline INLINED void store_(float* p, V v) {
  __builtin_memcpy(p, &v, least_(N, kLanes) * sizeof(float));
}
// The first n elements; the others are 0, whatever they were.
static inline INLINED V first_(V v, int n) {
  Mask lane;
  for (int i = 0; i < kLanes; ++i) lane[i] = i;
  return (V)((Mask)v & (lane < n));
}

// Where lanes are filters, a vector of weights is multiplied by a number of the image.
template <typename G>
struct Filters : G {
  using G::H, G::W, G::C, G::KH, G::KW, G::F, G::S, G::OH, G::OW, G::TOP, G::LEFT;
  static constexpr int HP = (OH - 1) * S + KH, WP = (OW - 1) * S + KW, TAPS = KW * C, WIDE = up_(F, 16);
  static constexpr int LAST = F % kLanes ? F % kLanes : kLanes, VECTORS = (F + kLanes - 1) / kLanes;
  // Vectors of weights or gradients that are held at once, and the most of sums that there is room for.
  static constexpr int B = VECTORS % 2 ? 1 : 2, MOST = (kRegisters - 1 - B - (kRegisters < 32)) / B;
  static constexpr bool PADDED = TOP > 0 || LEFT > 0 || HP > H || WP > W;
  static constexpr int ROW = (PADDED ? WP : W) * C;

  // The weights with their lanes filled up, then the bias.
  static void pack(const float* w, float* to) {
    for (int k = 0; k < KH * TAPS; ++k)
      for (int f = 0; f < WIDE; ++f) to[k * WIDE + f] = f < F ? w[k * F + f] : 0;
  }
  static inline const float* padded(const float* x, float* to) {
    if constexpr (!PADDED) return x;
    constexpr int HEIGHT = least_(H, HP - TOP), WIDTH = least_(W, WP - LEFT);
    for (int r = 0; r < HP; ++r) {
      float* const row = to + r * ROW;
      const bool is_in = r >= TOP && r < TOP + HEIGHT;
      for (int i = 0; i < (is_in ? LEFT * C : ROW); ++i) row[i] = 0;
      if (!is_in) continue;
      __builtin_memcpy(row + LEFT * C, x + (r - TOP) * W * C, WIDTH * C * sizeof(float));
      for (int i = (LEFT + WIDTH) * C; i < ROW; ++i) row[i] = 0;
    }
    return to;
  }
  static void forward(const float* image, const float* w, float* y) {
    alignas(64) float room[PADDED ? HP * ROW : 1];
    const float* const x = padded(image, room);
    parts_<VECTORS, B>([&](auto, int v) INLINED {
      parts_<OW, MOST>([&](auto columns, int ox) INLINED {
        constexpr int N = decltype(columns)::value;
        parts_<OH, MOST / N>([&](auto rows, int oy) INLINED {
          constexpr int R = decltype(rows)::value;
          V a[R][N][B] = {};
          for (int ky = 0; ky < KH; ++ky)
            for (int k = 0; k < TAPS; ++k) {
              const float* const p = x + (oy * S + ky) * ROW + ox * S * C + k;
              V u[B];
              UNROLLED for (int b = 0; b < B; ++b) u[b] = vector_(w + (ky * TAPS + k) * WIDE + (v + b) * kLanes);
              UNROLLED for (int r = 0; r < R; ++r)
                UNROLLED for (int n = 0; n < N; ++n)
                  UNROLLED for (int b = 0; b < B; ++b) a[r][n][b] += p[r * S * ROW + n * S * C] * u[b];
            }
          UNROLLED for (int r = 0; r < R; ++r)
            UNROLLED for (int n = 0; n < N; ++n)
              UNROLLED for (int b = 0; b < B; ++b) {
                float* const to = y + ((oy + r) * OW + ox + n) * F + (v + b) * kLanes;
                // What a vector has too many is overwritten by the next columns'.
                const bool is_over = VECTORS <= B && (N - 1 - n) * F >= kLanes - LAST;
                if (LAST < kLanes && v + b == VECTORS - 1 && !is_over) store_<LAST>(to, a[r][n][b]);
                else vector_(to) = a[r][n][b];
              }
        });
      });
    });
  }
  // Adds to sums [KH, KW · C, WIDE].
  static void filterGrad(const float* image, const float* dy, float* sums) {
    alignas(64) float room[PADDED ? HP * ROW : 1];
    const float* const x = padded(image, room);
    parts_<VECTORS, B>([&](auto, int v) INLINED {
      // Of several rows of the filter where one alone would leave registers empty, and sums wait for each other.
      parts_<KH, MOST / TAPS>([&](auto rows, int ky) INLINED {
        parts_<TAPS, MOST>([&](auto taps, int k) INLINED {
          constexpr int R = decltype(rows)::value, N = decltype(taps)::value;
          float* const to = sums + (ky * TAPS + k) * WIDE + v * kLanes;
          V a[R * N][B];
          UNROLLED for (int n = 0; n < R * N; ++n)
            UNROLLED for (int b = 0; b < B; ++b) a[n][b] = vector_(to + n * WIDE + b * kLanes);
          for (int oy = 0; oy < OH; ++oy)
            for (int ox = 0; ox < OW; ++ox) {
              const float* const p = x + (oy * S + ky) * ROW + ox * S * C + k;
              V g[B];
              UNROLLED for (int b = 0; b < B; ++b) {
                const int at = (oy * OW + ox) * F + (v + b) * kLanes;
                g[b] = load_<LAST>(dy + at, OH * OW * F - at);
              }
              UNROLLED for (int n = 0; n < R * N; ++n)
                UNROLLED for (int b = 0; b < B; ++b) a[n][b] += p[n / N * ROW + n % N] * g[b];
            }
          UNROLLED for (int n = 0; n < R * N; ++n)
            UNROLLED for (int b = 0; b < B; ++b) vector_(to + n * WIDE + b * kLanes) = a[n][b];
        });
      });
    });
  }
  static void unpack(const float* sums, float* to) {
    for (int k = 0; k < KH * TAPS; ++k)
      for (int f = 0; f < F; ++f) to[k * F + f] = sums[k * WIDE + f];
  }
};

// Image [H, W, F], filter [KH, KW, F]: a filter for each channel.
template <typename G>
struct Depthwise : G {
  static constexpr bool IS_DEPTHWISE = true;
};
template <typename G>
using Turned = Shape<G::OH, G::OW, 1, G::KH, G::KW, G::F, 1, G::H, G::W, G::KH - 1 - G::TOP, G::KW - 1 - G::LEFT>;
// Its gradient with respect to the image: of the result's, with zeros between where strides are longer, by the filter turned around.
template <typename G>
struct DepthwiseInput : Depthwise<Turned<G>> {
  static constexpr int APART = G::S;
  static constexpr bool IS_TURNED = true;
};

// Where lanes are columns and filters of a row, a vector of weights that repeats is multiplied by one of the image's numbers, each F times;
// or once, where each filter has a channel of its own.
template <typename G>
struct Columns : G {
  using G::H, G::W, G::C, G::KH, G::KW, G::F, G::S, G::OH, G::OW, G::TOP, G::LEFT, G::APART;
  static constexpr int WP = OW + (KW - 1) / S, LEAST = OW * F;
  // What repeats has PERIOD lanes, however wide a vector is.
  static constexpr int PERIOD = F / common_(F, 16) * 16, P = PERIOD / kLanes;
  static constexpr int VECTORS = (LEAST + kLanes - 1) / kLanes, LAST = LEAST % kLanes ? LEAST % kLanes : kLanes;
  static constexpr int ROW = up_(up_(LEAST, 16) + (KW - 1) / S * F, 16);
  // Rows of the result that the image is copied for at once; where that is not F times, the copy stays in the cache whatever its size.
  static constexpr int FIT = ((1 << 16) / (S * ROW) - KH) / S + 1;
  static constexpr int STRIP = G::IS_DEPTHWISE ? least_(OH, most_(1, least_(12, FIT))) : OH;
  static constexpr int HP = (STRIP - 1) * S + KH, ROOM = C * S * HP * ROW + up_(F, 16);

  // [P, C, KW, KH, kLanes]
  static void pack(const float* w, float* to) {
    for (int p = 0; p < P; ++p)
      for (int k = 0; k < C * KW * KH; ++k)
        for (int l = 0; l < kLanes; ++l) *to++ = w[at(p, k, l)];
  }
  static int at(int p, int k, int l) {
    const int c = k / KH / KW, kx = k / KH % KW, ky = k % KH;
    const int tap = G::IS_TURNED ? KH * KW - 1 - ky * KW - kx : ky * KW + kx;
    return (tap * C + c) * F + (p * kLanes + l) % F;
  }
  static bool is_in_(int at, int size) { return at >= 0 && at % APART == 0 && at / APART < size; }
  // [C, column modulo S, HP, ROW]
  static void expand(const float* x, float* to, int first, int rows) {
    for (int c = 0; c < C; ++c)
      for (int phase = 0; phase < S; ++phase)
        for (int r = 0; r < rows; ++r) {
          float* const row = to + ((c * S + phase) * HP + r) * ROW;
          const int down = first + r - TOP;
          for (int q = 0; q < WP; ++q) {
            const int from = q * S + phase - LEFT;
            const bool is_in = is_in_(down, H) && is_in_(from, W);
            if constexpr (G::IS_DEPTHWISE) {
              if (is_in) __builtin_memcpy(row + q * F, x + (down / APART * W + from / APART) * F, F * sizeof(float));
              else __builtin_memset(row + q * F, 0, F * sizeof(float));
            } else {
              const float value = is_in ? x[(down * W + from) * C + c] : 0;
              UNROLLED for (int f = 0; f < F; f += kLanes) vector_(row + q * F + f) = V{} + value;
            }
          }
          for (int i = WP * F; i < ROW; ++i) row[i] = 0;
        }
  }
  static void forward(const float* x, const float* w, float* y) {
    alignas(64) float e[ROOM];
    parts_<OH, STRIP>([&](auto strip, int top) INLINED {
      constexpr int ROWS = decltype(strip)::value;
      expand(x, e, top * S, (ROWS - 1) * S + KH);
      constexpr int B = most_(1, least_(2, VECTORS / P)), MOST = (kRegisters - 1 - KH - B) / B;
      const auto vectors = [&](auto count, int p, int j) INLINED {
        constexpr int N = decltype(count)::value;
        parts_<ROWS, MOST>([&](auto rows, int oy) INLINED {
          constexpr int R = decltype(rows)::value;
          V a[N][R] = {};
          for (int c = 0; c < C; ++c)
            for (int kx = 0; kx < KW; ++kx) {
              const float* const from = e + ((c * S + kx % S) * HP + oy * S) * ROW + kx / S * F + (p + j * P) * kLanes;
              V u[KH];
              UNROLLED for (int ky = 0; ky < KH; ++ky) u[ky] = vector_(w + (((p * C + c) * KW + kx) * KH + ky) * kLanes);
              UNROLLED for (int r = 0; r < (R - 1) * S + KH; ++r)
                UNROLLED for (int n = 0; n < N; ++n) {
                  const V v = vector_(from + r * ROW + n * P * kLanes);
                  UNROLLED for (int ky = 0; ky < KH; ++ky)
                    if (r >= ky && (r - ky) % S == 0 && (r - ky) / S < R) a[n][(r - ky) / S] += v * u[ky];
                }
            }
          UNROLLED for (int r = 0; r < R; ++r)
            UNROLLED for (int n = 0; n < N; ++n) {
              const int v = p + (j + n) * P;
              float* const to = y + (top + oy + r) * LEAST + v * kLanes;
              if (LAST < kLanes && v == VECTORS - 1) store_<LAST>(to, a[n][r]);
              else vector_(to) = a[n][r];
            }
        });
      };
      if constexpr (VECTORS >= P)
        for (int p = 0; p < P; ++p) parts_<VECTORS / P, B>([&](auto count, int j) INLINED { vectors(count, p, j); });
      for (int p = 0; p < VECTORS % P; ++p) vectors(Int<1>{}, p, VECTORS / P);
    });
  }
  // Adds to sums [P, C, KW, KH, kLanes].
  static void filterGrad(const float* x, const float* dy, float* sums) {
    alignas(64) float e[ROOM];
    parts_<OH, STRIP>([&](auto strip, int top) INLINED {
      constexpr int ROWS = decltype(strip)::value;
      expand(x, e, top * S, (ROWS - 1) * S + KH);
      constexpr int DEPTH = kRegisters < 32 ? 4 : 12, MOST = (kRegisters - 2 - DEPTH) / KH;
      for (int p = 0; p < least_(P, VECTORS); ++p)
        for (int c = 0; c < C; ++c)
          parts_<KW, MOST>([&](auto columns, int kx) INLINED {
            constexpr int N = decltype(columns)::value;
            float* const to = sums + ((p * C + c) * KW + kx) * KH * kLanes;
            V a[N][KH];
            UNROLLED for (int n = 0; n < N; ++n)
              UNROLLED for (int ky = 0; ky < KH; ++ky) a[n][ky] = vector_(to + (n * KH + ky) * kLanes);
            const auto vector = [&](auto lanes, int v) INLINED {
              constexpr int L = decltype(lanes)::value;
              parts_<ROWS, DEPTH>([&](auto rows, int oy) INLINED {
                constexpr int R = decltype(rows)::value;
                V g[R];
                UNROLLED for (int r = 0; r < R; ++r) {
                  const int at = (top + oy + r) * LEAST + v * kLanes;
                  g[r] = load_<L>(dy + at, OH * LEAST - at);
                  if (L < kLanes) g[r] = first_(g[r], L);
                }
                const float* from[N];
                UNROLLED for (int n = 0; n < N; ++n) {
                  const int phase = (kx + n) % S, shift = (kx + n) / S * F;
                  from[n] = e + ((c * S + phase) * HP + oy * S) * ROW + shift + v * kLanes;
                }
                UNROLLED for (int r = 0; r < (R - 1) * S + KH; ++r)
                  UNROLLED for (int n = 0; n < N; ++n) {
                    const V all = vector_(from[n] + r * ROW), u = L < kLanes ? first_(all, L) : all;
                    UNROLLED for (int o = 0; o < R; ++o)
                      if (r >= o * S && r - o * S < KH) a[n][r - o * S] += u * g[o];
                  }
              });
            };
            for (int v = p; v < VECTORS - (LAST < kLanes); v += P) vector(Int<kLanes>{}, v);
            if constexpr (LAST < kLanes)
              if ((VECTORS - 1) % P == p) vector(Int<LAST>{}, VECTORS - 1);
            UNROLLED for (int n = 0; n < N; ++n)
              UNROLLED for (int ky = 0; ky < KH; ++ky) vector_(to + (n * KH + ky) * kLanes) = a[n][ky];
          });
    });
  }
  static void unpack(const float* sums, float* to) {
    for (int i = 0; i < KH * KW * C * F; ++i) to[i] = 0;
    for (int p = 0; p < P; ++p)
      for (int k = 0; k < C * KW * KH; ++k)
        for (int l = 0; l < kLanes; ++l) to[at(p, k, l)] += *sums++;
  }
};

// The gradient with respect to the image: lanes are a filter's columns and channels, which add to neighbours in a row of the image.
template <typename G>
struct Input : G {
  using G::H, G::W, G::C, G::KH, G::KW, G::F, G::S, G::OH, G::OW, G::TOP, G::LEFT;
  static constexpr int LEAST = KW * C, WIDE = up_(LEAST, 16);
  static constexpr int ROW = most_((OW - 1) * S * C + WIDE, (LEFT + W) * C);

  // [KH, F, WIDE]
  static void pack(const float* w, float* to) {
    for (int ky = 0; ky < KH; ++ky)
      for (int f = 0; f < F; ++f)
        for (int k = 0; k < WIDE; ++k) to[(ky * F + f) * WIDE + k] = k < LEAST ? w[(ky * LEAST + k) * F + f] : 0;
  }
  static void forward(const float* dy, const float* w, float* dx) {
    for (int y = 0; y < H; ++y) {
      alignas(64) float row[ROW] = {};
      // Of 32 lanes, so that sums have one order however wide a vector is.
      parts_<WIDE / 16, 2>([&](auto halves, int half) INLINED {
        constexpr int B = decltype(halves)::value * 16 / kLanes, MOST = (kRegisters - 1 - B - (kRegisters < 32)) / B;
        parts_<OW, MOST>([&](auto columns, int ox) INLINED {
          constexpr int N = decltype(columns)::value;
          V a[N][B] = {};
          for (int ky = 0; ky < KH; ++ky) {
            const int from = y + TOP - ky;
            if (from < 0 || from % S > 0 || from / S >= OH) continue;
            const float* const p = dy + (from / S * OW + ox) * F;
            for (int f = 0; f < F; ++f) {
              V u[B];
              UNROLLED for (int b = 0; b < B; ++b) u[b] = vector_(w + (ky * F + f) * WIDE + half * 16 + b * kLanes);
              UNROLLED for (int n = 0; n < N; ++n)
                UNROLLED for (int b = 0; b < B; ++b) a[n][b] += p[n * F + f] * u[b];
            }
          }
          UNROLLED for (int n = 0; n < N; ++n)
            UNROLLED for (int b = 0; b < B; ++b) {
              float* const to = row + (ox + n) * S * C + half * 16 + b * kLanes;
              const int rest = LEAST - half * 16 - b * kLanes;
              vector_(to) += rest < kLanes ? first_(a[n][b], rest) : a[n][b];
            }
        });
      });
      __builtin_memcpy(dx + y * W * C, row + LEFT * C, W * C * sizeof(float));
    }
  }
};
#if !defined(__clang__)
#pragma GCC pop_options
#endif
