// CHOICE: threads. One small pool of std::thread for the whole process: no OpenMP, whose duplicate runtimes crash
// processes that also load another one and hang children after a fork.
#pragma once

#include <functional>

#include "firth/array.h"

namespace firth {

// How many processors this process may use: its affinity mask and its cgroup's quota, whichever is smaller.
int available_threads();

// No call uses more threads than this, whatever it asks for.
constexpr int kMaxThreads = 1024;

// The default of every call: FIRTH_NUM_THREADS, else available_threads(), until it is set. 0 restores the default.
// default_threads() throws std::invalid_argument if FIRTH_NUM_THREADS is neither empty nor a positive whole number.
void set_threads(int threads);
int default_threads();

// How many threads parallel() uses at most for that much work: at least 1, for no work too. Scratch is sized by it.
int workers_for(i64 size, i64 grain, int threads);

// Cuts [0, size) into pieces of at most `grain` tasks and lets up to `threads` threads (0: the default) take them in
// order. `work` gets a piece and the number, below workers_for(...), of the thread that runs it. If it throws, no
// further piece is begun, and the first exception leaves here once every thread has left `work`. Where the system has
// no thread left to give, those there are do the work.
// The calling thread works too, and between its pieces asks `interrupted` (may be null) every 50 ms at most; when that
// answers true no further piece is begun. Returns false if it was interrupted.
bool parallel(i64 size, i64 grain, int threads, const std::function<void(Range, int)>& work,
              const std::function<bool()>& interrupted = nullptr);

}  // namespace firth
