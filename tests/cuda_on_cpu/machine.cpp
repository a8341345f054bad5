#include "machine.h"

#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "chance.h"
#include "fiber.h"

// Dynamic shared memory: what `extern __shared__ ... shared[]` in the kernels means. As large as it
// can be on compute capability 9.0.
constexpr size_t MAX_SHARED = 227 << 10;
alignas(1024) thread_local unsigned char shared[MAX_SHARED];

namespace machine {

Dim blockIdx, blockDim, gridDim;

static Chance chance(1);

constexpr int WARP = 32;

static std::vector<std::unique_ptr<Fiber>> fibers;
static const Launch *launched;
static const std::vector<Access> *accesses;
// What the shared memory of the cluster's blocks holds while another of them runs.
static std::vector<std::vector<unsigned char>> images;
static int rank;

void fail(const char *what) {
  const char *kernel = launched == nullptr ? "no kernel" : launched->kernel;
  printf("FAILED %s: %s", kernel, what);
  if (current != nullptr) {
    printf(" (block %u %u %u, thread %u)", current->block.x, current->block.y, current->block.z,
           current->thread.x);
  }
  printf("\n");
  fflush(stdout);
  _exit(1);
}

static void on_signal(int signal) {
  fail(signal == SIGSEGV || signal == SIGBUS
           ? "touches memory that it may not, or not yet"
           : "has an index outside of an array, or an unaligned vector");
}

// On a stack of their own, because a fiber's may be what has ended.
static void catch_signals() {
  static unsigned char memory[64 << 10];
  const stack_t stack = {memory, 0, sizeof memory};
  sigaltstack(&stack, nullptr);
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_ONSTACK;
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGTRAP}) {
    sigaction(signal, &action, nullptr);
  }
}

static void act_for_warp(Fiber *const *lanes) {
  void *owns[WARP];
  for (int lane = 0; lane < WARP; lane++) {
    if (lanes[lane]->act != lanes[0]->act) {
      current = lanes[lane];
      fail("lanes of a warp have come to different instructions");
    }
    owns[lane] = lanes[lane]->own;
  }
  lanes[0]->act(owns);
}

static bool all_at(Fiber *const *first, int count, Place place) {
  return std::all_of(first, first + count, [&](Fiber *fiber) { return fiber->place == place; });
}

static void let_go(Fiber *const *first, int count) {
  std::for_each(first, first + count, [](Fiber *fiber) { fiber->place = Place::NOWHERE; });
}

// Runs a warp until its lanes wait for other warps, or have ended.
static void run_warp(Fiber *const *lanes) {
  for (;;) {
    const unsigned first = chance.below(WARP), step = 2 * chance.below(WARP / 2) + 1;
    bool has_run = false;
    for (unsigned i = 0; i < WARP; i++) {
      Fiber *fiber = lanes[(first + i * step) % WARP];
      if (fiber->place == Place::NOWHERE) {
        resume(fiber);
        has_run = true;
      }
    }
    if (all_at(lanes, WARP, Place::IN_WARP)) {
      act_for_warp(lanes);
      let_go(lanes, WARP);
    } else if (!has_run) {
      break;
    }
  }
  for (int lane = 0; lane < WARP; lane++) {
    if (lanes[lane]->place == Place::IN_WARP) {
      current = lanes[lane];
      fail("waits for lanes of its warp that do not come");
    }
  }
}

// Runs a block until its threads wait for other blocks, or have ended.
static void run_block(Fiber *const *threads) {
  const int count = launched->threads;
  for (;;) {
    for (int warp : chance.order(count / WARP)) {
      run_warp(threads + warp * WARP);
    }
    if (!all_at(threads, count, Place::IN_BLOCK)) {
      break;
    }
    let_go(threads, count);
  }
  for (int i = 0; i < count; i++) {
    if (threads[i]->place == Place::IN_BLOCK) {
      current = threads[i];
      fail("waits for threads of its block that do not come");
    }
  }
}

// All of this program's thread-local data, and nothing else: see __shared__.
static std::pair<unsigned char *, size_t> all_shared() {
  static std::pair<unsigned char *, size_t> found;
  if (found.first == nullptr) {
    dl_iterate_phdr(
        [](dl_phdr_info *program, size_t, void *) {
          for (int i = 0; i < program->dlpi_phnum; i++) {
            if (program->dlpi_phdr[i].p_type == PT_TLS) {
              found = {static_cast<unsigned char *>(program->dlpi_tls_data),
                       program->dlpi_phdr[i].p_memsz};
            }
          }
          return 1;  // The program itself comes first.
        },
        nullptr);
  }
  return found;
}

static void check_ended(Fiber *const *threads) {
  current = threads[0];
  auto is_written = [](unsigned char byte) { return byte != 0xff; };
  if (std::any_of(shared + launched->shared_bytes, shared + MAX_SHARED, is_written)) {
    fail("writes past the end of its shared memory");
  }
  for (int i = 0; i < launched->threads; i++) {
    current = threads[i];
    if (__CUDA_ARCH__ >= 900 && !current->has_waited) {
      fail("ends without having waited for the previous kernel");
    }
  }
}

static void allow(Right Access::*when) {
  for (const Access &access : *accesses) {
    access.pages->allow(access.*when);
  }
}

static void run_cluster(Fiber *const *threads, Dim first_block) {
  const auto [start, size] = all_shared();
  const int blocks = launched->cluster, count = launched->threads;
  for (int i = 0; i < blocks * count; i++) {
    Fiber &fiber = *threads[i];
    fiber.thread = {static_cast<unsigned>(i % count), 0, 0};
    fiber.block = {first_block.x + i / count, first_block.y, first_block.z};
    fiber.has_waited = false;
    fiber.open.clear();
    fiber.committed.clear();
  }
  let_go(threads, blocks * count);
  images.assign(blocks, std::vector<unsigned char>(size, 0xff));
  allow(&Access::before);
  while (!all_at(threads, blocks * count, Place::AT_END)) {
    for (int block : chance.order(blocks)) {
      Fiber *const *own = threads + block * count;
      rank = block;
      blockIdx = own[0]->block;
      memcpy(start, images[block].data(), size);
      run_block(own);
      const bool has_ended = all_at(own, count, Place::AT_END);
      if (has_ended) {
        check_ended(own);
        memset(start, 0xff, size);  // A block's shared memory ends with it.
      }
      images[block].assign(start, start + size);
    }
    const Place place = threads[0]->place;
    if (!all_at(threads, blocks * count, place)) {
      current = threads[0];
      fail("threads of a cluster do not come to the same place");
    }
    if (place == Place::BEFORE_INPUTS) {
      allow(&Access::after);
    }
    if (place != Place::AT_END) {
      let_go(threads, blocks * count);
    }
  }
}

void run(const Launch &launch, const std::vector<Access> &touched, std::function<void()> kernel) {
  catch_signals();
  launched = &launch;
  accesses = &touched;
  thread_body = &kernel;
  gridDim = launch.grid;
  blockDim = {static_cast<unsigned>(launch.threads), 1, 1};
  const size_t count = launch.cluster * launch.threads;
  while (fibers.size() < count) {
    fibers.push_back(std::make_unique<Fiber>());
  }
  std::vector<Fiber *> threads;
  for (size_t i = 0; i < count; i++) {
    threads.push_back(fibers[i].get());
  }
  if (launch.shared_bytes > static_cast<int>(MAX_SHARED) || launch.grid.x % launch.cluster != 0) {
    fail("cannot be launched like this");
  }
  for (unsigned z = 0; z < launch.grid.z; z++) {
    for (unsigned y = 0; y < launch.grid.y; y++) {
      for (unsigned x = 0; x < launch.grid.x; x += launch.cluster) {
        run_cluster(threads.data(), {x, y, z});
      }
    }
  }
  current = nullptr;
  for (const Access &access : touched) {
    access.pages->allow(Right::WRITE);
    if (!access.pages->is_unused_intact()) {
      fail("writes outside of its output");
    }
  }
  launched = nullptr;
}

void meet_in_warp(void *own, void (*act)(void *const *)) {
  current->own = own;
  current->act = act;
  stop_at(Place::IN_WARP);
}

void meet_in_block() { stop_at(Place::IN_BLOCK); }

void meet_in_cluster() { stop_at(Place::IN_CLUSTER); }

void wait_for_previous_kernel() {
  current->has_waited = true;
  stop_at(Place::BEFORE_INPUTS);
}

static void land(const Copy &copy) {
  if (copy.valid) {
    memcpy(copy.to, copy.from, 16);
  } else {
    memset(copy.to, 0, 16);
  }
}

void start_copy(void *to, const void *from, bool valid) {
  if (reinterpret_cast<uintptr_t>(to) % 16 != 0 || reinterpret_cast<uintptr_t>(from) % 16 != 0) {
    fail("copies what is not aligned");
  }
  shared_address(to);
  const Copy copy = {to, from, valid};
  if (chance.below(2) == 0) {
    land(copy);
  } else {
    current->open.push_back(copy);
  }
}

void commit_copies() {
  current->committed.push_back(std::move(current->open));
  current->open.clear();
}

void wait_for_copies(int num_left) {
  while (static_cast<int>(current->committed.size()) > num_left) {
    std::for_each(current->committed.front().begin(), current->committed.front().end(), land);
    current->committed.pop_front();
  }
}

uint32_t shared_address(const void *place) {
  const ptrdiff_t address = static_cast<const unsigned char *>(place) - shared;
  if (address < 0 || address >= launched->shared_bytes) {
    fail("takes the address of what is not in its shared memory");
  }
  return address;
}

void *shared_memory(uint32_t address, int alignment) {
  if (address + alignment > static_cast<uint32_t>(launched->shared_bytes) ||
      address % alignment != 0) {
    fail("a wrong address in shared memory");
  }
  return shared + address;
}

int cluster_rank() { return rank; }

const void *shared_memory_of_rank(const void *own, int of) {
  if (of < 0 || of >= launched->cluster) {
    fail("asks for a block that its cluster does not have");
  }
  shared_address(own);
  return of == rank ? own
                    : &images[of][static_cast<const unsigned char *>(own) - all_shared().first];
}

}  // namespace machine
