// Choosing tokens: of each row of logits that is asked about, one block edits and masks it, takes
// the largest or draws, and reports the most probable tokens beside it.
//
// One block reads a row of 128,000 logits several times, which costs it some microseconds each; many
// blocks a row would have to wait for each other as often.
#include "select.cuh"
#include "summary.cuh"

// The largest of a row, the first of equals; 0 where the mask allows none. What any thread did to the
// row before is done then.
static __device__ __forceinline__ Item largest_of(const Row &row, Work &work) {
  if (threadIdx.x == 0) work.found = 0;
  __syncthreads();
  Item largest = 0;
  for_each_logit(row, [&](int id, float logit) {
    largest = max(largest, item_of(LogitKey()(logit), id));
  });
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    largest = max(largest, __shfl_xor_sync(~0u, largest, distance));
  }
  if (threadIdx.x % 32 == 0) atomicMax(&work.found, largest);
  __syncthreads();
  largest = work.found;
  __syncthreads();
  return largest;
}

static __device__ __forceinline__ bool is_possible(Item largest) {
  return static_cast<uint32_t>(largest >> 32) > LogitKey()(-CUDART_INF_F);
}

// The first lane at which a sum that grows from lane to lane passes the target; the last with a part
// in it where none does.
static __device__ __forceinline__ int lane_at(double target, double part, double sum) {
  const uint32_t are_parts = __ballot_sync(~0u, part > 0.0);
  const uint32_t are_past = __ballot_sync(~0u, part > 0.0 && target < sum);
  return are_past != 0 ? __ffs(are_past) - 1 : max(31 - __clz(are_parts), 0);
}

// A draw in the order of ids: the row is cut into a part for each warp, then the part in which the
// target lies, until 128 tokens are left, four a lane.
static __device__ __forceinline__ int draw_by_id(const Row &row, const Weights &weights,
                                                 const Choice &choice, Work &work) {
  constexpr int UNIT = 128;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  // What min-p drops keeps its place, with no weight.
  auto weights_of = [&](int unit, float (&kept)[4]) {
    const int first = unit * UNIT + 4 * lane;
    const uint32_t allowed = allowed_of(row, first);
    const float4 quad = quad_of(row, first, allowed);
    const float logits[4] = {quad.x, quad.y, quad.z, quad.w};
    double sum = 0.0;
#pragma unroll
    for (int j = 0; j < 4; j++) {
      const float weight = allowed >> j & 1 ? weights.weight(logits[j]) : 0.0f;
      kept[j] = weight >= choice.min_weight ? weight : 0.0f;
      sum += static_cast<double>(kept[j]);
    }
    return sum;
  };
  auto up_to_lane = [&](double sum) { return sum_up_to_lane({0, sum}).mass; };
  float kept[4];
  double target = 0.0;
  int unit = 0, num_units = (row.vocab + UNIT - 1) / UNIT;
  for (bool is_whole = true; is_whole || num_units > 1; is_whole = false) {
    const int of_warp = (num_units + CHOICE_WARPS - 1) / CHOICE_WARPS;
    const int begin = min(warp * of_warp, num_units), end = min(begin + of_warp, num_units);
    double sum = 0.0;
#pragma unroll 4
    for (int i = begin; i < end; i++) {
      sum += weights_of(unit + i, kept);
    }
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
      sum += __shfl_xor_sync(~0u, sum, distance);
    }
    if (lane == 0) work.sums[warp] = sum;
    __syncthreads();
    const double part = work.sums[lane], up_to = up_to_lane(part);
    __syncthreads();
    if (is_whole) target = choice.u * __shfl_sync(~0u, up_to, 31);
    const int chosen = lane_at(target, part, up_to);
    const double before = __shfl_sync(~0u, up_to, max(chosen - 1, 0));
    if (chosen > 0) target -= before;
    unit += chosen * of_warp;
    num_units = min(of_warp, num_units - chosen * of_warp);
  }
  const double part = weights_of(unit, kept), up_to = up_to_lane(part);
  const int chosen = lane_at(target, part, up_to);
  const double before = __shfl_sync(~0u, up_to, max(lane - 1, 0));
  double sum = lane > 0 ? before : 0.0;
  int place = 0;
  bool is_past = false;
#pragma unroll
  for (int j = 0; j < 4; j++) {
    if (kept[j] > 0.0f && !is_past) {
      place = j;
      sum += static_cast<double>(kept[j]);
      is_past = target < sum;
    }
  }
  return __shfl_sync(~0u, unit * UNIT + 4 * lane + place, chosen);
}

// A draw from the most probable tokens, in whose order top-k, top-p and min-p cut.
static __device__ __forceinline__ int draw_from_head(const Row &row, const Weights &weights,
                                                     const Choice &choice, Work &work) {
  Items<WeightKey> items = {row, {weights}, false};
  Item least = 0;
  if (choice.top_k > 0) {
    const Goal goal = {Reach::COUNT, static_cast<double>(choice.top_k)};
    least = select<true>(items, least, goal, work);
  }
  if (choice.top_p < 1.0f) {
    const Goal goal = {Reach::SHARE, static_cast<double>(choice.top_p)};
    least = select<true>(items, least, goal, work);
  }
  const Item of_min_p = static_cast<Item>(__float_as_uint(choice.min_weight)) << 34;
  const Goal goal = {Reach::BEYOND_SHARE, choice.u};
  return id_of(select<true>(items, max(least, of_min_p), goal, work));
}

// The token of an edited row, where it has one; `largest` is its largest.
static __device__ __forceinline__ int chosen_of(const Row &row, const Choice &choice, int largest,
                                                float max, Work &work) {
  if (choice.kind == LARGEST) return largest;
  const Weights weights = {max, choice.scale};
  if (choice.top_k > 0 || choice.top_p < 1.0f) return draw_from_head(row, weights, choice, work);
  return draw_by_id(row, weights, choice, work);
}

// The most probable tokens, the best first.
static __device__ __forceinline__ void report_top(const Row &row, int num_top, TopLogit *top,
                                                  Work &work) {
  Items<LogitKey> items = {row, {}, false};
  const Item least =
      select<false>(items, 0, {Reach::COUNT, static_cast<double>(num_top)}, work);
  if (threadIdx.x == 0) work.num_best = 0;
  __syncthreads();
  items.for_each(work, [&](Item item) {
    if (item >= least) work.best[atomicAdd(&work.num_best, 1u)] = item;
  });
  __syncthreads();
  if (static_cast<int>(threadIdx.x) < num_top) {
    const Item own = work.best[threadIdx.x];
    int rank = 0;
    for (int i = 0; i < num_top; i++) {
      rank += work.best[i] > own;
    }
    top[rank] = {static_cast<uint32_t>(id_of(own)), row.logits[id_of(own)]};
  }
}

// One block a choice; `words` are the choices, then their masks and edits. Rows are left as they were.
extern "C" __global__ void __launch_bounds__(CHOICE_THREADS, 1)
    choose(float *logits, int vocab, int stride, const Summary *summaries, uint32_t *words,
           Chosen *out, TopLogit *top) {
  __shared__ Work work;
  let_next_kernel_start();
  wait_for_previous_kernel();
  const Choice choice = reinterpret_cast<const Choice *>(words)[blockIdx.x];
  const Summary summary = summaries[choice.row];
  const Row whole = {logits + static_cast<size_t>(choice.row) * stride, vocab,
                     vocab % 4 == 0 && stride % 4 == 0, nullptr};
  // Nothing is drawn from what is no distribution.
  const bool is_distribution = summary.sum == summary.sum;
  uint32_t id = choice.kind == KNOWN ? choice.known : summary.index;
  bool is_stuck = false;
  if (choice.kind != KNOWN && is_distribution) {
    Row row = whole;
    if (choice.has_mask) row.mask = words + choice.mask_start;
    Edit *edits = reinterpret_cast<Edit *>(words + choice.edits_start);
    int largest = summary.index;
    float max = summary.max;
    if (choice.has_mask || choice.num_edits > 0) {
      keep_originals(row, choice, edits);
      edit(row, choice, edits, true);
      Item found = largest_of(row, work);
      if (!is_possible(found) && choice.has_bans) {
        edit(row, choice, edits, false);
        found = largest_of(row, work);
      }
      if (is_possible(found)) {
        largest = id_of(found);
        max = row.logits[largest];
      } else {
        // All edits yield, but a constraint does not.
        is_stuck = choice.has_mask;
        restore_originals(row, choice, edits);
        __syncthreads();
      }
    }
    if (!is_stuck) id = chosen_of(row, choice, largest, max, work);
    __syncthreads();
    restore_originals(row, choice, edits);
    __syncthreads();
  }
  if (choice.num_top > 0 && is_distribution) {
    report_top(whole, choice.num_top, top + static_cast<size_t>(blockIdx.x) * MAX_TOP, work);
  }
  if (threadIdx.x == 0) {
    // The model gives nothing to an id that it does not have.
    const float logit = id < static_cast<uint32_t>(vocab) ? whole.logits[id] : -CUDART_INF_F;
    out[blockIdx.x] = {id, logit, is_stuck, 0};
  }
}
