// CHOICE: threads. One small pool of std::thread for the whole process: no OpenMP, whose duplicate runtimes crash
// processes that also load another one and hang children after a fork.
#pragma once

#include <functional>

#include "firth/array.h"

namespace firth {

// How many processors this process may use: its affinity mask and its cgroup's quota, whichever is smaller.
int available_threads();

// The default of every call: FIRTH_NUM_THREADS, else available_threads(), until it is set. 0 restores the default.
void set_threads(int threads);
int default_threads();

// How many threads `parallel` would use for that much work.
int workers_for(i64 size, i64 grain, int threads);

// Cuts [0, size) into pieces of at most `grain` tasks and lets up to `threads` threads (0: the default) take them in
// order. `work` gets a piece and the number, below `threads`, of the thread that runs it; it must not throw.
// The calling thread works too, and between its pieces asks `interrupted` (may be null) every 50 ms at most; when that
// answers true no further piece is begun. Returns false if it was interrupted.
bool parallel(i64 size, i64 grain, int threads, const std::function<void(Range, int)>& work,
              const std::function<bool()>& interrupted = nullptr);

}  // namespace firth
