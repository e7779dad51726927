#include "overflow.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <system_error>

namespace firth {

i64 read_at(int file, void* to, i64 size, i64 begin) {
  i64 done = 0;
  while (done < size) {
    const ssize_t got = pread(file, static_cast<char*>(to) + done, static_cast<std::size_t>(size - done), begin + done);
    if (got == 0) break;
    if (got > 0)
      done += got;
    else if (errno != EINTR)
      throw std::system_error(errno, std::generic_category());
  }
  return done;
}

Mapping::Mapping(int file, std::size_t bytes)
    : data_(mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file, 0)), bytes_(bytes) {
  if (data_ == MAP_FAILED) throw std::bad_alloc();
}

Mapping::~Mapping() { munmap(data_, bytes_); }

void Overflow::write(File file, const void* from, i64 bytes, i64 begin) {
  i64 done = 0;
  held_ += bytes;
  while (done < bytes) {
    const char* rest = static_cast<const char*>(from) + done;
    const ssize_t wrote = pwrite(files_[file], rest, static_cast<std::size_t>(bytes - done), begin + done);
    if (wrote > 0) {
      done += wrote;
    } else if (wrote == 0 || errno != EINTR) {
      const std::string needed = std::to_string(held_);
      throw OverflowError(wrote == 0 ? ENOSPC : errno, "needs " + needed + " bytes or more in this folder", folder_);
    }
  }
}

void Overflow::read(File file, void* to, i64 bytes, i64 begin) const {
  if (read_at(files_[file], to, bytes, begin) < bytes)
    throw OverflowError(EIO, "a temporary file in this folder was cut by somebody else", folder_);
}

void Overflow::forget(File file, i64 bytes, i64 begin) {
  if (bytes > 0 && fallocate(files_[file], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, begin, bytes) == 0)
    held_ -= bytes;
}

}  // namespace firth
