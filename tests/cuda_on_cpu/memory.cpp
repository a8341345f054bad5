#include "memory.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <utility>

namespace machine {

static size_t round_up(size_t count, size_t unit) { return (count + unit - 1) / unit * unit; }

Pages::Pages(size_t num_bytes) : num_bytes(num_bytes) {
  const size_t page = sysconf(_SC_PAGESIZE);
  num_mapped = round_up(num_bytes, page);
  void *all = mmap(nullptr, num_mapped + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED) {
    throw std::bad_alloc();
  }
  pages = static_cast<uint8_t *>(all) + page;
  // As near to the end as vectors of 16 bytes allow.
  used = pages + num_mapped - round_up(num_bytes, 16);
  allow(Right::WRITE);
  memset(pages, 0xff, num_mapped);
}

Pages::~Pages() {
  const size_t page = sysconf(_SC_PAGESIZE);
  if (pages != nullptr) {
    munmap(pages - page, num_mapped + 2 * page);
  }
}

Pages::Pages(Pages &&other)
    : pages(std::exchange(other.pages, nullptr)), used(other.used), num_mapped(other.num_mapped),
      num_bytes(other.num_bytes) {}

Pages &Pages::operator=(Pages &&other) {
  std::swap(pages, other.pages);
  std::swap(used, other.used);
  std::swap(num_mapped, other.num_mapped);
  std::swap(num_bytes, other.num_bytes);
  return *this;
}

void Pages::allow(Right right) const {
  const int rights[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};
  mprotect(pages, num_mapped, rights[static_cast<int>(right)]);
}

bool Pages::is_unused_intact() const {
  auto is_intact = [](uint8_t byte) { return byte == 0xff; };
  return std::all_of(pages, used, is_intact) &&
         std::all_of(used + num_bytes, pages + num_mapped, is_intact);
}

}  // namespace machine
