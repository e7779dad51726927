/* Loaded before the C library: the n-th call that changes anything below a folder fails. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static char folder[PATH_MAX], hit[32];
static volatile long seen, nth; /* calls below the folder; the one that fails, none if 0 */
static volatile int code, full; /* its errno; whether all later calls that take room fail, too */
static volatile int shorter;    /* writes take less than they are given, or are interrupted first */

void failing_arm(const char* where, long which, int error, int stays, int cut) {
  snprintf(folder, sizeof folder, "%s", where);
  nth = which, code = error, full = stays, shorter = cut, hit[0] = 0, seen = 0;
}
long failing_seen(void) { return seen; }
const char* failing_hit(void) { return hit; }

static int below_path(const char* path) { return folder[0] && path && !strncmp(path, folder, strlen(folder)); }

static int below_file(int file) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return 0;
  path[size] = 0;
  return below_path(path);
}

static int below(int at, const char* path) {
  return path && path[0] != '/' && at != AT_FDCWD ? below_file(at) : below_path(path);
}

static int fails(int counted, const char* name, int takes_room) {
  if (!counted) return 0;
  long now = __sync_add_and_fetch(&seen, 1);
  if (nth == 0 || !(now == nth || (full && now > nth && takes_room))) return 0;
  if (now == nth) snprintf(hit, sizeof hit, "%s", name);
  errno = code;
  return 1;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define WRAP(result, name, parameters, arguments, counted, takes_room) \
  result name parameters {                                             \
    if (fails(counted, #name, takes_room)) return -1;                  \
    return NEXT(name) arguments;                                       \
  }

#define OPEN(name, first, at, ...)                                            \
  int name(first const char* path, int flags, ...) {                          \
    va_list more;                                                             \
    va_start(more, flags);                                                    \
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0; \
    va_end(more);                                                             \
    if (fails(below(at, path), #name, flags & O_CREAT)) return -1;            \
    return NEXT(name)(__VA_ARGS__ path, flags, mode);                         \
  }
#define COMMA ,
OPEN(open, , AT_FDCWD, )
OPEN(open64, , AT_FDCWD, )
OPEN(openat, int at COMMA, at, at COMMA)
OPEN(openat64, int at COMMA, at, at COMMA)

/* Every second write is interrupted; the others take half of what they are given. */
#define WRITE(name, parameters, ...)                                     \
  ssize_t name parameters {                                              \
    static volatile long times;                                          \
    int counted = below_file(file);                                      \
    if (fails(counted, #name, 1)) return -1;                             \
    if (counted && shorter) {                                            \
      if (__sync_add_and_fetch(&times, 1) % 2) return errno = EINTR, -1; \
      size = size / 2 + size % 2;                                        \
    }                                                                    \
    return NEXT(name)(__VA_ARGS__);                                      \
  }
WRITE(write, (int file, const void* from, size_t size), file, from, size)
WRITE(pwrite, (int file, const void* from, size_t size, off_t at), file, from, size, at)
WRITE(pwrite64, (int file, const void* from, size_t size, off64_t at), file, from, size, at)

WRAP(int, fsync, (int file), (file), below_file(file), 0)
WRAP(int, fdatasync, (int file), (file), below_file(file), 0)
WRAP(int, ftruncate, (int file, off_t size), (file, size), below_file(file), 1)
WRAP(int, ftruncate64, (int file, off64_t size), (file, size), below_file(file), 1)
WRAP(int, fallocate, (int file, int mode, off_t at, off_t size), (file, mode, at, size), below_file(file), 1)
WRAP(int, fchmod, (int file, mode_t mode), (file, mode), below_file(file), 0)
WRAP(int, mkdir, (const char* path, mode_t mode), (path, mode), below_path(path), 1)
WRAP(int, rename, (const char* from, const char* to), (from, to), below_path(from), 0)
WRAP(int, renameat, (int at, const char* from, int to_at, const char* to), (at, from, to_at, to), below(at, from), 0)
WRAP(int, renameat2, (int at, const char* from, int to_at, const char* to, unsigned flags),
     (at, from, to_at, to, flags), below(at, from), 0)
