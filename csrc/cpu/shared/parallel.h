// A loop over chunks on a given number of threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace pybench {

// Calls work(data) on up to `threads` threads at once, the caller's included, and returns when all have ended. There may
// be fewer; `work` must not throw.
void run_on_threads(int threads, void (*work)(void*), void* data);

// Calls body(first, last) for consecutive ranges that cover [0, count), on at most `threads` threads, the caller's
// included; each of them makes a body of its own, which may hold scratch memory, with make_body(). Ranges are handed out
// as threads get free; neither may throw.
template <typename MakeBody>
void parallel_for_each_thread(int threads, int64_t count, const MakeBody& make_body) {
  constexpr int64_t kChunksPerThread = 16;
  const int64_t workers = std::max<int64_t>(1, std::min<int64_t>(threads, count));
  const int64_t chunk = std::max<int64_t>(1, count / (workers * kChunksPerThread));
  std::atomic<int64_t> next{0};
  auto work = [&] {
    auto body = make_body();
    for (int64_t first; (first = next.fetch_add(chunk)) < count;) body(first, std::min(first + chunk, count));
  };
  run_on_threads(static_cast<int>(workers), [](void* data) { (*static_cast<decltype(work)*>(data))(); }, &work);
}

// The same with one body for all threads.
template <typename Body>
void parallel_for(int threads, int64_t count, const Body& body) {
  parallel_for_each_thread(threads, count, [&] { return [&](int64_t first, int64_t last) { body(first, last); }; });
}

}  // namespace pybench
