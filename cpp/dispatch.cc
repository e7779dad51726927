// CPUID is asked by hand: __builtin_cpu_supports answered 0 for known levels under another compiler, so that a wheel
// silently ran its slowest kernels.
#include "dispatch.h"

#include <cstdlib>
#include <stdexcept>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace firth {
namespace {

// Three names: a level that has something for some kernels only shares the others with the level before it.
#define FIRTH_TABLE(level, sampling, other, scan) \
  {#level,                                        \
   scan,                                          \
   other::tokens,                                 \
   sampling::negative_sampling,                   \
   sampling::link_steps,                          \
   sampling::merge_steps,                         \
   sampling::add_to_bags,                         \
   other::newlines,                               \
   other::subwords,                               \
   other::bag_means,                              \
   other::subword_means,                          \
   other::classification,                         \
   other::count_frequent,                         \
   other::cooccurrence,                           \
   other::merge_counts,                           \
   other::glove,                                  \
   other::walks,                                  \
   other::mark_met,                               \
   other::ranking,                                \
   level::prepare,                                \
   level::begin_topk,                             \
   level::topk,                                   \
   level::end_topk}

#if defined(__x86_64__)

struct Features {
  unsigned ecx1 = 0, ebx7 = 0, ecx7 = 0, edx7 = 0, eax71 = 0, ecx_extended = 0;
  unsigned long long enabled = 0;  // register states that the operating system saves
};

Features ask() {
  Features f;
  unsigned a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d)) f.ecx1 = c;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    f.ebx7 = b;
    f.ecx7 = c;
    f.edx7 = d;
  }
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d)) f.eax71 = a;
  if (__get_cpuid(0x80000001u, &a, &b, &c, &d)) f.ecx_extended = c;
  if (f.ecx1 & bit_OSXSAVE) {
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    f.enabled = (static_cast<unsigned long long>(high) << 32) | low;
  }
  return f;
}

// Linux lets a process use the tile registers only after it has asked for them; where it may not, the next level is
// used.
bool may_use_tiles() {
  constexpr long kAskPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kAskPermission, kTileData) == 0;
}

bool has(unsigned word, unsigned bits) { return (word & bits) == bits; }

std::vector<const Kernels*> find_supported() {
  static const Kernels amx = FIRTH_TABLE(amx, amx, v4, Scan::kInt8), vnni = FIRTH_TABLE(vnni, v4, v4, Scan::kInt8);
  static const Kernels v4 = FIRTH_TABLE(v4, v4, v4, Scan::kFloat32), v3 = FIRTH_TABLE(v3, v3, v3, Scan::kFloat32);
  static const Kernels v2 = FIRTH_TABLE(v2, v2, v2, Scan::kFloat32);
  constexpr unsigned kLzcnt = 1u << 5, kBf16 = 1u << 5, kVnni = 1u << 11, kAmxBf16 = 1u << 22, kAmxTile = 1u << 24,
                     kAmxInt8 = 1u << 25;
  const Features f = ask();
  const bool avx_state = (f.enabled & 0x6) == 0x6, avx512_state = (f.enabled & 0xe6) == 0xe6;
  const bool is_v3 = avx_state && has(f.ecx1, bit_AVX | bit_FMA | bit_F16C | bit_MOVBE) &&
                     has(f.ebx7, bit_AVX2 | bit_BMI | bit_BMI2) && has(f.ecx_extended, kLzcnt);
  const bool is_v4 =
      is_v3 && avx512_state && has(f.ebx7, bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL);
  const bool is_vnni = is_v4 && has(f.ecx7, kVnni), amx_state = (f.enabled & 0x60000) == 0x60000;
  const bool is_amx =
      is_vnni && amx_state && has(f.eax71, kBf16) && has(f.edx7, kAmxBf16 | kAmxTile | kAmxInt8) && may_use_tiles();
  std::vector<const Kernels*> found;
  if (is_amx) found.push_back(&amx);
  if (is_vnni) found.push_back(&vnni);
  if (is_v4) found.push_back(&v4);
  if (is_v3) found.push_back(&v3);
  found.push_back(&v2);  // the wheel's floor: SSE4.2 and POPCNT
  return found;
}

#else

std::vector<const Kernels*> find_supported() {
  static const Kernels base = FIRTH_TABLE(base, base, base, Scan::kFloat32);
  return {&base};
}

#endif

}  // namespace

const std::vector<const Kernels*>& supported_kernels() {
  static const std::vector<const Kernels*> found = find_supported();
  return found;
}

const Kernels& kernels(const std::string& isa) {
  const char* forced = std::getenv("FIRTH_ISA");
  const std::string wanted = isa.empty() && forced ? forced : isa;
  if (wanted.empty()) return *supported_kernels().front();
  std::string names;
  for (const Kernels* level : supported_kernels()) {
    if (wanted == level->isa) return *level;
    names += (names.empty() ? "" : ", ") + std::string(level->isa);
  }
  throw std::invalid_argument("isa: '" + wanted + "' is not one of this processor's instruction sets (" + names + ")");
}

}  // namespace firth
