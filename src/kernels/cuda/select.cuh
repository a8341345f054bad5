// The place in a row's order at which a count or a share of the probability is reached, without
// sorting: digit by digit of a key, from the highest on (a radix select, Alabi et al. 2012).
//
// All sums are exact or in an order that depends on the row alone: bins count items and add up the
// bits of their weights as integers, in which order does not matter, and are added up as f64 in
// theirs.
#pragma once

#include "choice.cuh"

// A token in the order of top-k and top-p, the more probable the larger: a key that grows with the
// probability, then what is left of MAX_VOCAB above the id, so that of equals the lower id is larger.
// No two are the same.
typedef unsigned long long Item;

static __device__ __forceinline__ Item item_of(uint32_t key, int id) {
  return static_cast<Item>(key) << 32 | (MAX_VOCAB - 1 - id);
}

static __device__ __forceinline__ int id_of(Item item) {
  return static_cast<int>(MAX_VOCAB - 1 - static_cast<uint32_t>(item));
}

constexpr int NUM_BINS = 2048;
constexpr int LIST_LENGTH = 2048;

struct Amount {
  uint32_t count;
  double mass;
};

// Shared memory of the block of a choice.
struct Work {
  Item listed[LIST_LENGTH];
  uint32_t counts[NUM_BINS], lows[NUM_BINS], highs[NUM_BINS];
  Amount of_warps[CHOICE_WARPS];
  double sums[CHOICE_WARPS];
  Item best[MAX_TOP];
  Item found;
  Amount above, inside;
  uint32_t num_listed, num_best, first, last, bin;
};
static_assert(sizeof(Work) <= 48 << 10, "a block has no more without asking");

// A key of logits themselves.
struct LogitKey {
  __device__ __forceinline__ uint32_t operator()(float logit) const {
    const uint32_t bits = __float_as_uint(__fadd_rn(logit, 0.0f));  // -0 is 0.
    return bits >> 31 ? ~bits : bits | 1u << 31;
  }
};

// A key of weights in [0, 1], whose bits grow with them, and of which the two highest are 0.
struct WeightKey {
  Weights weights;

  __device__ __forceinline__ uint32_t operator()(float logit) const {
    return __float_as_uint(weights.weight(logit)) << 2;
  }
};

static __device__ __forceinline__ uint32_t weight_bits_of(Item item) {
  return static_cast<uint32_t>(item >> 34);
}

// The items of a row, but for those of weight 0. Once few of them matter, those are in a list.
template <class Key> struct Items {
  Row row;
  Key key;
  bool is_listed;

  template <class Visit> __device__ __forceinline__ void for_each(Work &work, Visit visit) const {
    if (is_listed) {
      for (uint32_t i = threadIdx.x; i < work.num_listed; i += CHOICE_THREADS) {
        visit(work.listed[i]);
      }
    } else {
      for_each_logit(row, [&](int id, float logit) {
        const uint32_t own = key(logit);
        if (own != 0) visit(item_of(own, id));
      });
    }
  }

  // Lists those from `least` on, which must be LIST_LENGTH or fewer.
  __device__ __forceinline__ void list(Work &work, Item least) {
    if (threadIdx.x == 0) work.num_listed = 0;
    __syncthreads();
    for_each(work, [&](Item item) {
      if (item >= least) work.listed[atomicAdd(&work.num_listed, 1u)] = item;
    });
    __syncthreads();
    is_listed = true;
  }
};

// What is looked for: the item with which so many are reached, or at least this share of the mass of
// all, or more than this share.
enum class Reach { COUNT, SHARE, BEYOND_SHARE };

struct Goal {
  Reach reach;
  double amount;
};

static __device__ __forceinline__ Amount added(Amount a, Amount b) {
  return {a.count + b.count, a.mass + b.mass};
}

static __device__ __forceinline__ Amount of_lane(Amount own, int lane) {
  return {__shfl_sync(~0u, own.count, lane), __shfl_sync(~0u, own.mass, lane)};
}

// The sum over the lanes up to this one.
static __device__ __forceinline__ Amount sum_up_to_lane(Amount sum) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int distance = 1; distance < 32; distance *= 2) {
    const Amount other = {__shfl_up_sync(~0u, sum.count, distance),
                          __shfl_up_sync(~0u, sum.mass, distance)};
    if (lane >= distance) sum = added(other, sum);
  }
  return sum;
}

// What a bin holds, all of whose weights begin with the bits `base`.
static __device__ __forceinline__ Amount amount_in(const Work &work, int bin, uint32_t base) {
  const uint32_t count = work.counts[bin];
  if (count == 0) return {0, 0.0};
  const uint64_t mantissas = static_cast<uint64_t>(count) * (1u << 23 | (base & ((1u << 23) - 1))) +
                             work.lows[bin] + (static_cast<uint64_t>(work.highs[bin]) << 10);
  return {count, ldexp(static_cast<double>(mantissas), static_cast<int>(base >> 23) - 150)};
}

// The first item, from the largest on, with which the goal is reached among those from `least` on;
// the last of these where it is not. All threads of the block call this, and there is an item.
template <bool WEIGHED, class Key>
static __device__ __forceinline__ Item select(Items<Key> &items, Item least, Goal goal,
                                              Work &work) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  // Bits of the item that are known, what they are, and what is larger than any such item.
  Item known = 0, prefix = 0;
  Amount above = {0, 0.0};
  double needed = goal.amount;
  auto is_reached = [&](Amount through) {
    switch (goal.reach) {
      case Reach::COUNT: return through.count >= needed;
      case Reach::SHARE: return through.mass >= needed;
      default: return through.mass > needed;
    }
  };
  // Digits of 11, 11 and 10 bits of the key, then two of 10 of what stands for the id.
  for (int level = 0; level < 5; level++) {
    const int width = level < 2 ? 11 : 10;
    const int shift = level < 3 ? 53 - 11 * level + level / 2 : 40 - 10 * level;
    const int num_low_bits = max(shift - 34, 0);
    for (int bin = threadIdx.x; bin < NUM_BINS; bin += CHOICE_THREADS) {
      work.counts[bin] = work.lows[bin] = work.highs[bin] = 0;
    }
    if (threadIdx.x == 0) {
      work.first = NUM_BINS;
      work.last = 0;
    }
    __syncthreads();
    items.for_each(work, [&](Item item) {
      if (item < least || (item & known) != prefix) return;
      const int bin = static_cast<int>(item >> shift) & ((1 << width) - 1);
      atomicAdd(&work.counts[bin], 1u);
      if (WEIGHED && num_low_bits > 0) {
        // In two parts, neither of which MAX_VOCAB of them make too large.
        const uint32_t low = weight_bits_of(item) & ((1u << num_low_bits) - 1);
        atomicAdd(&work.lows[bin], low & 1023);
        atomicAdd(&work.highs[bin], low >> 10);
      }
    });
    __syncthreads();

    // A thread has two bins, and the first thread the largest.
    const int upper = NUM_BINS - 1 - 2 * static_cast<int>(threadIdx.x);
    auto base_of = [&](int bin) { return weight_bits_of(prefix | static_cast<Item>(bin) << shift); };
    const Amount in_upper = amount_in(work, upper, base_of(upper));
    const Amount in_lower = amount_in(work, upper - 1, base_of(upper - 1));
    const Amount up_to_lane = sum_up_to_lane(added(in_upper, in_lower));
    if (lane == 31) work.of_warps[warp] = up_to_lane;
    __syncthreads();
    const Amount up_to_warp = sum_up_to_lane(work.of_warps[lane]);
    if (level == 0 && goal.reach != Reach::COUNT) needed *= of_lane(up_to_warp, 31).mass;
    const Amount before_warp = of_lane(up_to_warp, max(warp - 1, 0));
    const Amount before_lane = of_lane(up_to_lane, max(lane - 1, 0));
    Amount before = above;
    if (warp > 0) before = added(before, before_warp);
    if (lane > 0) before = added(before, before_lane);
    const Amount after_upper = added(before, in_upper), after_lower = added(after_upper, in_lower);
    const uint32_t place = 2 * threadIdx.x;
    if (in_upper.count > 0) {
      if (is_reached(after_upper)) atomicMin(&work.first, place);
      atomicMax(&work.last, place);
    }
    if (in_lower.count > 0) {
      if (is_reached(after_lower)) atomicMin(&work.first, place + 1);
      atomicMax(&work.last, place + 1);
    }
    __syncthreads();
    const uint32_t chosen = work.first < NUM_BINS ? work.first : work.last;
    if (chosen / 2 == threadIdx.x) {
      work.above = chosen % 2 == 0 ? before : after_upper;
      work.inside = chosen % 2 == 0 ? in_upper : in_lower;
      work.bin = NUM_BINS - 1 - chosen;
    }
    __syncthreads();
    above = work.above;
    prefix |= static_cast<Item>(work.bin) << shift;
    known |= ((static_cast<Item>(1) << width) - 1) << shift;
    if (work.inside.count == 1) break;
    if (!items.is_listed && above.count + work.inside.count <= LIST_LENGTH) {
      items.list(work, max(prefix, least));
    }
  }
  items.for_each(work, [&](Item item) {
    if (item >= least && (item & known) == prefix) work.found = item;
  });
  __syncthreads();
  return work.found;
}
