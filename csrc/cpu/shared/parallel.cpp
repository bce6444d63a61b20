#include "cpu/shared/parallel.h"

#include <dlfcn.h>

#include <system_error>
#include <thread>
#include <vector>

namespace pybench {
namespace {

// How code that GCC compiled runs a parallel region of OpenMP; a stable part of libgomp's ABI, which others offer, too.
using RunRegion = void (*)(void (*work)(void*), void* data, unsigned threads, unsigned flags);

// The function that torch itself calls, where torch is loaded. Its threads wait for the next region by spinning, so that
// threads of our own would have to share the cores with them after every operation of torch.
RunRegion torch_pool() {
#ifndef __SANITIZE_THREAD__  // which cannot see how OpenMP synchronises
  if (void* torch = dlopen("libtorch_cpu.so", RTLD_LAZY | RTLD_NOLOAD)) {
    static const auto run = reinterpret_cast<RunRegion>(dlsym(torch, "GOMP_parallel"));
    dlclose(torch);
    return run;
  }
#endif
  return nullptr;
}

void run_on_new_threads(int threads, void (*work)(void*), void* data) {
  std::vector<std::thread> helpers;
  helpers.reserve(threads - 1);
  try {
    for (int i = 1; i < threads; ++i) helpers.emplace_back(work, data);
  } catch (const std::system_error&) {
    // The system gives no more threads: those that started do all the work.
  }
  work(data);
  for (std::thread& helper : helpers) helper.join();
}

}  // namespace

void run_on_threads(int threads, void (*work)(void*), void* data) {
  if (threads <= 1) {
    work(data);
  } else if (const RunRegion run = torch_pool()) {
    run(work, data, static_cast<unsigned>(threads), 0);
  } else {
    run_on_new_threads(threads, work, data);
  }
}

}  // namespace pybench
