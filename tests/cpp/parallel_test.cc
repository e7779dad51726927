// The pool: every task exactly once for any size, grain and thread count; nested, concurrent, interrupted, failing.
#include "parallel.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.h"

using namespace firth;

namespace {

void visits_every_task_once() {
  for (const i64 size : {0, 1, 2, 7, 64, 1000, 4097})
    for (const i64 grain : {-3, 0, 1, 3, 64, 5000})
      for (const int threads : {0, 1, 2, 3, 8}) {
        std::vector<std::atomic<int>> seen(static_cast<size_t>(size));
        std::atomic<bool> in_bounds{true};
        const bool finished = parallel(size, grain, threads, [&](Range range, int number) {
          const i64 most = grain > 0 ? grain : 1;
          if (range.begin < 0 || range.end > size || range.begin >= range.end || range.end - range.begin > most ||
              number < 0 || number >= workers_for(size, grain, threads))
            in_bounds = false;
          for (i64 i = range.begin; i < range.end; ++i) ++seen[static_cast<size_t>(i)];
        });
        CHECK(finished && in_bounds);
        for (const auto& count : seen) CHECK(count == 1);
      }
}

void huge_sizes_and_grains_do_not_overflow() {
  constexpr i64 most = std::numeric_limits<i64>::max();
  std::atomic<i64> covered{0};
  CHECK(parallel(most, most, 4, [&](Range range, int) { covered += range.end - range.begin; }));
  CHECK(covered == most);
  covered = 0;
  CHECK(parallel(most, most / 8, 4, [&](Range range, int) { covered += range.end - range.begin; }));
  CHECK(covered == most);
  CHECK(parallel(3, most, 4, [&](Range range, int) { CHECK(range.begin == 0 && range.end == 3); }));
}

void numbers_are_one_threads_own() {
  std::atomic<int> inside[4] = {};
  std::atomic<bool> shared{false};
  parallel(2000, 1, 4, [&](Range, int number) {
    if (++inside[number] != 1) shared = true;
    --inside[number];
  });
  CHECK(!shared);
}

void nests_and_runs_concurrently() {
  std::atomic<i64> total{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 8; ++caller)
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 20; ++repeat)
        parallel(10, 1, 3,
                 [&](Range, int) { parallel(100, 7, 2, [&](Range range, int) { total += range.end - range.begin; }); });
    });
  for (auto& caller : callers) caller.join();
  CHECK(total == 8 * 20 * 10 * 100);
}

void stops_when_interrupted() {
  for (const int threads : {1, 4}) {
    std::atomic<int> begun{0};
    int asked = 0;
    const bool finished = parallel(
        100000, 1, threads,
        [&](Range, int) {
          ++begun;
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        },
        [&] { return ++asked == 2; });
    CHECK(!finished);
    CHECK(asked == 2);
    CHECK(begun < 2000);
  }
}

void an_exception_reaches_the_caller_after_all_threads_left() {
  for (int repeat = 0; repeat < 50; ++repeat) {
    std::atomic<int> inside{0};
    bool caught = false;
    try {
      parallel(200, 1, 4, [&](Range range, int) {
        ++inside;
        std::this_thread::sleep_for(std::chrono::microseconds(20));
        --inside;
        if (range.begin % 20 == 19) throw std::runtime_error("task");
      });
    } catch (const std::runtime_error&) {
      caught = true;
    }
    CHECK(caught && inside == 0);
  }
  CHECK(parallel(10, 1, 4, [](Range, int) {}));
}

void thread_counts_are_capped_and_named() {
  CHECK(available_threads() >= 1);
  set_threads(3);
  CHECK(default_threads() == 3 && workers_for(100, 10, 0) == 3 && workers_for(100, 10, 2) == 2);
  CHECK(workers_for(100, 60, 0) == 2 && workers_for(0, 10, 5) == 1 && workers_for(-1, 0, 5) == 1);
  set_threads(0);
  CHECK(workers_for(1 << 20, 1, std::numeric_limits<int>::max()) == kMaxThreads);
  std::atomic<i64> total{0};
  CHECK(parallel(100000, 10, std::numeric_limits<int>::max(), [&](Range range, int number) {
    CHECK(number < kMaxThreads);
    total += range.end - range.begin;
  }));
  CHECK(total == 100000);

  setenv("FIRTH_NUM_THREADS", "5", 1);
  CHECK(default_threads() == 5);
  setenv("FIRTH_NUM_THREADS", "99999999999999999999", 1);
  CHECK(default_threads() == kMaxThreads);
  setenv("FIRTH_NUM_THREADS", "", 1);
  CHECK(default_threads() == available_threads());
  for (const char* bad : {"0", "-2", "two", "4x", "1.5"}) {
    setenv("FIRTH_NUM_THREADS", bad, 1);
    bool refused = false;
    try {
      default_threads();
    } catch (const std::invalid_argument&) {
      refused = true;
    }
    CHECK(refused);
  }
  unsetenv("FIRTH_NUM_THREADS");
}

template <class Work>
int exit_code_of_child(const Work& work) {
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    alarm(60);
    work();
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void adds_up_with_four_threads() {
  std::atomic<i64> total{0};
  CHECK(parallel(1000, 1, 4, [&](Range range, int) { total += range.begin; }));
  CHECK(total == 999 * 1000 / 2);
}

void the_caller_does_the_work_where_no_thread_can_start() {
  const int code = exit_code_of_child([] {
    rlim_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t bytes = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + (2 << 20);  // no room for a stack
    const rlimit limit{bytes, bytes};
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    std::atomic<int> highest{0};
    CHECK(parallel(1000, 1, 64, [&](Range, int number) {
      if (number > highest) highest = number;
    }));
    CHECK(highest == 0);
  });
  CHECK(code == 0);
}

void a_forked_child_has_a_pool_of_its_own() {
  adds_up_with_four_threads();
  for (int repeat = 0; repeat < 10; ++repeat) CHECK(exit_code_of_child(adds_up_with_four_threads) == 0);
  adds_up_with_four_threads();
}

}  // namespace

int main() {
  the_caller_does_the_work_where_no_thread_can_start();  // first, while there is no helper yet
  a_forked_child_has_a_pool_of_its_own();
  visits_every_task_once();
  huge_sizes_and_grains_do_not_overflow();
  numbers_are_one_threads_own();
  nests_and_runs_concurrently();
  stops_when_interrupted();
  an_exception_reaches_the_caller_after_all_threads_left();
  thread_counts_are_capped_and_named();
}
