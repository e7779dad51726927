#include "parallel.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <exception>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace firth {
namespace {

struct Job {
  i64 size, grain, pieces;
  const std::function<void(Range, int)>* work;
  int helpers_wanted;                // guarded by the pool's mutex, like the next two
  int next_number = 1, running = 0;  // number 0 is the calling thread
  std::atomic<i64> next{0};
  std::atomic<bool> stop{false};
  std::exception_ptr error{};  // written once, by the thread that set `failed`; read when all have left
  std::atomic_flag failed{};

  bool step(int number) {
    const i64 piece = next.fetch_add(1, std::memory_order_relaxed);
    if (piece >= pieces || stop.load(std::memory_order_relaxed)) return false;
    const i64 begin = piece * grain;
    (*work)({begin, begin + std::min(grain, size - begin)}, number);
    return true;
  }

  void fail(std::exception_ptr what) {
    if (!failed.test_and_set()) error = std::move(what);
    stop.store(true);
  }
};

class Pool {
 public:
  void add(Job* job) {
    std::lock_guard lock(mutex_);
    try {
      while (threads_ < job->helpers_wanted) {
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
      try {
        while (job->step(number)) {
        }
      } catch (...) {
        job->fail(std::current_exception());
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
  cpu_set_t mine;
  if (sched_getaffinity(0, sizeof mine, &mine) == 0) processors = CPU_COUNT(&mine);
  return std::max(1, std::min(processors, cgroup_quota()));
}

void set_threads(int threads) { chosen_threads.store(threads); }

int default_threads() {
  if (const int chosen = chosen_threads.load(); chosen > 0) return std::min(chosen, kMaxThreads);
  const char* asked = std::getenv("FIRTH_NUM_THREADS");
  if (!asked || !*asked) return std::min(available_threads(), kMaxThreads);
  char* end;
  const long number = std::strtol(asked, &end, 10);
  if (*end || number < 1)
    throw std::invalid_argument("FIRTH_NUM_THREADS: '" + std::string(asked) + "' is not a positive whole number");
  return static_cast<int>(std::min<long>(number, kMaxThreads));
}

int workers_for(i64 size, i64 grain, int threads) {
  const i64 pieces = size <= 0 ? 1 : (size - 1) / std::max<i64>(1, grain) + 1;
  return static_cast<int>(std::min<i64>(pieces, threads > 0 ? std::min(threads, kMaxThreads) : default_threads()));
}

bool parallel(i64 size, i64 grain, int threads, const std::function<void(Range, int)>& work,
              const std::function<bool()>& interrupted) {
  if (size <= 0) return true;
  grain = std::clamp<i64>(grain, 1, size);
  const int wanted = workers_for(size, grain, threads);
  Job job{size, grain, (size - 1) / grain + 1, &work, wanted - 1};
  if (wanted > 1) pool().add(&job);
  bool stopped = false;
  // Kept from call to call: many short ones are asked as often as one that is long.
  using Clock = std::chrono::steady_clock;
  thread_local Clock::time_point asked;
  const auto ask = [&] {
    if (!interrupted || Clock::now() - asked < std::chrono::milliseconds(50)) return false;
    const bool answer = interrupted();
    asked = Clock::now();
    return answer;
  };
  try {
    while (!stopped && job.step(0)) stopped = ask();
    stopped = stopped || ask();
    if (stopped) job.stop.store(true);
  } catch (...) {
    job.fail(std::current_exception());
  }
  if (wanted > 1) pool().finish(&job);
  if (job.error) std::rethrow_exception(job.error);
  return !stopped;
}

}  // namespace firth
