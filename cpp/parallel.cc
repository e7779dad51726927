#include "parallel.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

namespace firth {
namespace {

struct Job {
  i64 size, grain;
  const std::function<void(Range, int)>* work;
  int helpers_wanted;                  // guarded by the pool's mutex, like the next two
  int next_number = 1, running = 0;    // number 0 is the calling thread
  std::atomic<i64> next{0};
  std::atomic<bool> stop{false};

  bool step(int number) {
    const i64 begin = next.fetch_add(grain, std::memory_order_relaxed);
    if (begin >= size || stop.load(std::memory_order_relaxed)) return false;
    (*work)({begin, std::min(size, begin + grain)}, number);
    return true;
  }
};

class Pool {
 public:
  void add(Job* job) {
    std::lock_guard lock(mutex_);
    try {
      while (static_cast<int>(threads_) < job->helpers_wanted) {
        std::thread([this] { serve(); }).detach();
        ++threads_;
      }
    } catch (const std::system_error&) {
      // The system has no thread left to give: those there are (at least the caller's) do the work.
    }
    jobs_.push_back(job);
    wake_.notify_all();
  }

  void finish(Job* job) {
    std::unique_lock lock(mutex_);
    jobs_.erase(std::remove(jobs_.begin(), jobs_.end(), job), jobs_.end());
    done_.wait(lock, [job] { return job->running == 0; });
  }

 private:
  Job* wanted() {
    for (Job* job : jobs_)
      if (job->helpers_wanted > 0) return job;
    return nullptr;
  }

  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      Job* job = nullptr;
      wake_.wait(lock, [&] { return (job = wanted()) != nullptr; });
      --job->helpers_wanted;
      ++job->running;
      const int number = job->next_number++;
      lock.unlock();
      while (job->step(number)) {
      }
      lock.lock();
      if (--job->running == 0) done_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::deque<Job*> jobs_;
  int threads_ = 0;
};

// Never destroyed: its threads live as long as the process. A forked child has none of them, so it starts a new pool.
std::atomic<Pool*> the_pool{nullptr};

Pool& pool() {
  static const int once = pthread_atfork(nullptr, nullptr, [] { the_pool.store(nullptr); });
  (void)once;
  Pool* found = the_pool.load();
  if (!found) {
    Pool* fresh = new Pool;
    if (the_pool.compare_exchange_strong(found, fresh)) return *fresh;
    delete fresh;
  }
  return *found;
}

int cgroup_quota() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 1 << 20;
  return std::max(1, static_cast<int>(std::atof(quota.c_str()) / period + 0.5));
}

std::atomic<int> chosen_threads{0};

}  // namespace

int available_threads() {
  int processors = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t mine;
  if (sched_getaffinity(0, sizeof mine, &mine) == 0) processors = CPU_COUNT(&mine);
#endif
  return std::max(1, std::min(processors, cgroup_quota()));
}

void set_threads(int threads) { chosen_threads.store(threads); }

int default_threads() {
  if (const int chosen = chosen_threads.load(); chosen > 0) return chosen;
  const char* asked = std::getenv("FIRTH_NUM_THREADS");
  const int number = asked ? std::atoi(asked) : 0;
  return number > 0 ? number : available_threads();
}

int workers_for(i64 size, i64 grain, int threads) {
  const i64 pieces = std::max<i64>(1, (size + grain - 1) / std::max<i64>(1, grain));
  return static_cast<int>(std::min<i64>(pieces, threads > 0 ? threads : default_threads()));
}

bool parallel(i64 size, i64 grain, int threads, const std::function<void(Range, int)>& work,
              const std::function<bool()>& interrupted) {
  if (size <= 0) return true;
  grain = std::max<i64>(1, grain);
  const int wanted = workers_for(size, grain, threads);
  Job job{size, grain, &work, wanted - 1};
  if (wanted > 1) pool().add(&job);
  using Clock = std::chrono::steady_clock;
  Clock::time_point asked = Clock::now();
  while (job.step(0)) {
    if (!interrupted || Clock::now() - asked < std::chrono::milliseconds(50)) continue;
    if (interrupted()) job.stop.store(true);
    asked = Clock::now();
  }
  if (wanted > 1) pool().finish(&job);
  return !job.stop.load();
}

}  // namespace firth
