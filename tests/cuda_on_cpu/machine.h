// A machine that runs kernels on a CPU: the threads of a block as fibers of one thread, block after
// block. It knows how threads meet and what memory they may touch, and no arithmetic.
//
// What a GPU leaves open is decided by chance, so that a kernel that relies on luck is found out:
// in which order warps, lanes and blocks run, and whether a copy into shared memory lands at once
// or when it is waited for. Shared memory and outputs start as NaN.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <functional>
#include <utility>
#include <vector>

#include "memory.h"

namespace machine {

struct Dim {
  unsigned x = 1, y = 1, z = 1;
};

struct Launch {
  const char *kernel;
  Dim grid;
  int threads;
  // Of dynamic shared memory.
  int shared_bytes = 0;
  int cluster = 1;
};

// Where the thread that is running stands.
extern Dim threadIdx, blockIdx, blockDim, gridDim;

// Runs all blocks of a launch. It ends the program where they do what no kernel may.
void run(const Launch &launch, const std::vector<Access> &accesses, std::function<void()> kernel);

// Runs `kernel` with arguments that are numbers, or memory with what is done to it (see memory.h).
template <class... Parameter, class... Argument>
void launch(const Launch &launch, void (*kernel)(Parameter...), const Argument &...arguments) {
  std::vector<Access> accesses;
  (collect(accesses, arguments), ...);
  run(launch, accesses, [&] { kernel(static_cast<Parameter>(arguments)...); });
}

// Ends the program, and says which thread of which launch did wrong.
[[noreturn]] void fail(const char *what);

// From here on are what threads of kernels call.

// All lanes of a warp come here with something of their own and for the same reason; the last does
// what they came for, and all go on.
void meet_in_warp(void *own, void (*act)(void *const *lanes));
void meet_in_block();
void meet_in_cluster();
// All of a block's threads wait here, before they may touch what is not constant.
void wait_for_previous_kernel();

void start_copy(void *to, const void *from, bool valid);
void commit_copies();
void wait_for_copies(int num_left);

// Places in dynamic shared memory as instructions name them.
uint32_t shared_address(const void *place);
void *shared_memory(uint32_t address, int alignment);

int cluster_rank();
const void *shared_memory_of_rank(const void *own, int rank);

}  // namespace machine
