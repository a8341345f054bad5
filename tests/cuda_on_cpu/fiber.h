// A thread of a kernel, which runs until it has to wait for others.
#pragma once

#include <setjmp.h>

#include <deque>
#include <functional>
#include <vector>

#include "machine.h"

namespace machine {

// Where a thread stands that does not run.
enum class Place { NOWHERE, IN_WARP, IN_BLOCK, IN_CLUSTER, BEFORE_INPUTS, AT_END };

struct Copy {
  void *to;
  const void *from;
  bool valid;
};

struct Fiber {
  Dim thread, block;
  Place place;
  bool has_waited;
  // With which it met its warp.
  void *own;
  void (*act)(void *const *);
  std::vector<Copy> open;
  std::deque<std::vector<Copy>> committed;

  jmp_buf context;
  bool has_stack = false;
};

// The one that runs, or ran last.
extern Fiber *current;
// What all of them run.
extern const std::function<void()> *thread_body;

// Runs a thread until it stops.
void resume(Fiber *fiber);
// Stops the thread that runs.
void stop_at(Place place);

}  // namespace machine
