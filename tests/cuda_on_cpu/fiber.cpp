#include "fiber.h"

#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

namespace machine {

constexpr size_t STACK = 128 << 10;

Dim threadIdx;
Fiber *current;
const std::function<void()> *thread_body;
static jmp_buf where_resumed;

// With _longjmp, because swapcontext asks the system each time.
void stop_at(Place place) {
  current->place = place;
  if (_setjmp(current->context) == 0) {
    _longjmp(where_resumed, 1);
  }
}

// A fiber has its stack for ever, and runs one thread after another on it.
static void run_threads() {
  for (;;) {
    (*thread_body)();
    stop_at(Place::AT_END);
  }
}

static void start(Fiber *fiber) {
  fiber->has_stack = true;
  static ucontext_t context;
  getcontext(&context);
  void *stack = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack == MAP_FAILED) {
    fail("no memory for its threads");
  }
  mprotect(stack, sysconf(_SC_PAGESIZE), PROT_NONE);  // Where a stack that is full would go on.
  context.uc_stack.ss_sp = stack;
  context.uc_stack.ss_size = STACK;
  context.uc_link = nullptr;
  makecontext(&context, run_threads, 0);
  setcontext(&context);
}

void resume(Fiber *fiber) {
  current = fiber;
  threadIdx = fiber->thread;
  if (_setjmp(where_resumed) == 0) {
    if (fiber->has_stack) {
      _longjmp(fiber->context, 1);
    }
    start(fiber);
  }
}

}  // namespace machine
