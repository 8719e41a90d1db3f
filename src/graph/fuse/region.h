// What generated code and the op that runs it know of each other. A library defines its regions as
//   extern "C" const Region NAME = {phases, scratch_bytes, run};
#pragma once
#include <cstdint>

struct Region {
  // They come one after the other; within one, chunks run at once and in any order.
  int64_t phases;
  // What chunks leave for later phases, such as their sums; 0 for none. The memory is aligned to 64 bytes, not cleared.
  int64_t (*scratch_bytes)(int64_t rows, int64_t chunks);
  // Chunk 0 … chunks - 1 of a phase. There are no fewer rows than chunks, but for no rows, which have one chunk.
  void (*run)(int64_t phase, int64_t chunk, int64_t chunks, int64_t rows, const void* const* in, void* const* out,
              char* scratch);
};
