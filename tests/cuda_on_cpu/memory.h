// Memory of the device. A read or a write past its end, or at a time at which it is not allowed,
// ends the program.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <vector>

namespace machine {

enum class Right { NOTHING, READ, WRITE };

// Pages of which the last bytes are in use, between two that nobody may touch.
class Pages {
 public:
  explicit Pages(size_t num_bytes);
  ~Pages();
  Pages(Pages &&other);
  Pages &operator=(Pages &&other);

  void allow(Right right) const;
  // Whether what is not in use is as it was.
  bool is_unused_intact() const;
  void *start() const { return used; }

 private:
  // Null where the memory has moved to another.
  uint8_t *pages, *used;
  size_t num_mapped, num_bytes;
};

// Numbers that start as NaN, or all ones.
template <class T> class Memory {
 public:
  explicit Memory(size_t count) : pages(count * sizeof(T)), count(count) {}
  explicit Memory(const std::vector<T> &values) : Memory(values.size()) {
    for (size_t i = 0; i < count; i++) {
      (*this)[i] = values[i];
    }
  }

  T &operator[](size_t i) { return data()[i]; }
  const T &operator[](size_t i) const { return data()[i]; }
  T *data() const { return static_cast<T *>(pages.start()); }
  size_t size() const { return count; }

  const Pages &all() const { return pages; }

 private:
  Pages pages;
  size_t count;
};

// What a kernel may do to memory before and after it has waited for the previous kernel.
struct Access {
  const Pages *pages;
  Right before, after;
};

template <class T> struct Argument {
  Access access;
  T *data;
  operator T *() const { return data; }
};

// What no kernel writes, such as weights, may be read at any time.
template <class T> Argument<const T> constant(const Memory<T> &memory) {
  return {{&memory.all(), Right::READ, Right::READ}, memory.data()};
}
template <class T> Argument<const T> input(const Memory<T> &memory) {
  return {{&memory.all(), Right::NOTHING, Right::READ}, memory.data()};
}
template <class T> Argument<T> output(const Memory<T> &memory) {
  return {{&memory.all(), Right::NOTHING, Right::WRITE}, memory.data()};
}

template <class T> void collect(std::vector<Access> &accesses, const Argument<T> &argument) {
  accesses.push_back(argument.access);
}
template <class T> void collect(std::vector<Access> &, const T &) {}

}  // namespace machine
