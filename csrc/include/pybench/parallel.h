// A loop over chunks on a given number of threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

namespace pybench {

// Calls body(first, last) for consecutive ranges that cover [0, count), on at most `threads` threads, the caller's
// included; each of them makes a body of its own, which may hold scratch memory, with make_body(). Ranges are handed out
// as threads get free; neither may throw. Threads live for this call only, so that a process may fork between calls;
// starting one costs tens of microseconds.
template <typename MakeBody>
void parallel_for_each_thread(int threads, int64_t count, const MakeBody& make_body) {
  constexpr int64_t kChunksPerThread = 16;
  const int64_t workers = std::max<int64_t>(1, std::min<int64_t>(threads, count));
  const int64_t chunk = std::max<int64_t>(1, count / (workers * kChunksPerThread));
  std::atomic<int64_t> next{0};
  const auto work = [&] {
    auto body = make_body();
    for (int64_t first; (first = next.fetch_add(chunk)) < count;) body(first, std::min(first + chunk, count));
  };
  std::vector<std::thread> helpers;
  helpers.reserve(workers - 1);
  try {
    for (int64_t i = 1; i < workers; ++i) helpers.emplace_back(work);
  } catch (const std::system_error&) {
    // The system gives no more threads: those that started do all the work.
  }
  work();
  for (std::thread& helper : helpers) helper.join();
}

// The same with one body for all threads.
template <typename Body>
void parallel_for(int threads, int64_t count, const Body& body) {
  parallel_for_each_thread(threads, count, [&] { return [&](int64_t first, int64_t last) { body(first, last); }; });
}

}  // namespace pybench
