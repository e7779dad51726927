#include "word_table.h"

#include <cstring>
#include <stdexcept>
#include <string>

namespace firth {
namespace {

constexpr u64 kFirstSlots = 1 << 12;
constexpr i64 kAhead = 12;  // tokens between asking for a slot's cache line and reading it

}  // namespace

WordTable::WordTable(u64 seed, u32 max_words)
    : seed_(seed), slots_(kFirstSlots), max_words_(max_words), memory_(kFirstSlots * sizeof(Slot)) {}

WordTable::Word WordTable::word(const Slot& slot) const {
  if (slot.length <= 16)
    return {reinterpret_cast<const unsigned char*>(slot.key), slot.length, slot.count, slot.number};
  const LongWord& found = long_words_[slot.key[1]];
  return {found.bytes.get(), found.length, slot.count, slot.number};
}

inline bool WordTable::holds(const Slot& slot, const u64* key, const unsigned char* bytes, i64 length, u64 hash) const {
  if (length <= 16)
    return ((slot.key[0] ^ key[0]) | (slot.key[1] ^ key[1]) | (slot.length ^ static_cast<u64>(length))) == 0;
  if (slot.length != 17 || slot.key[0] != hash) return false;
  const LongWord& other = long_words_[slot.key[1]];
  return other.length == length && std::memcmp(other.bytes.get(), bytes, static_cast<std::size_t>(length)) == 0;
}

// The word's slot, or the free one where it belongs.
inline WordTable::Slot* WordTable::probe(const u64* key, const unsigned char* bytes, i64 length, u64 hash) const {
  u64 at = hash & (slots_ - 1);
  while (table()[at].count && !holds(table()[at], key, bytes, length, hash)) at = (at + 1) & (slots_ - 1);
  return &table()[at];
}

u32 WordTable::insert(Slot* slot, const u64* key, const unsigned char* bytes, i64 length, u64 hash, u64 times) {
  if (words_ == max_words_)
    throw std::length_error("Corpus.read: more than " + std::to_string(max_words_) + " different words");
  if ((words_ + u64{1}) * 8 > slots_ * 5) {
    grow();
    slot = probe(key, bytes, length, hash);
  }
  if (length <= 16) {
    *slot = {{key[0], key[1]}, times, words_, static_cast<u32>(length)};
  } else {
    LongWord fresh{std::make_unique_for_overwrite<unsigned char[]>(static_cast<std::size_t>(length)), length};
    std::memcpy(fresh.bytes.get(), bytes, static_cast<std::size_t>(length));
    long_words_.push_back(std::move(fresh));
    *slot = {{hash, long_words_.size() - 1}, times, words_, 17};
  }
  return words_++;
}

void WordTable::grow() {
  Pages wider(2 * slots_ * sizeof(Slot));
  Slot* to = wider.as<Slot>();
  for (u64 i = 0; i < slots_; ++i) {
    const Slot& slot = table()[i];
    if (!slot.count) continue;
    u64 at = hash(slot) & (2 * slots_ - 1);
    while (to[at].count) at = (at + 1) & (2 * slots_ - 1);
    to[at] = slot;
  }
  memory_ = std::move(wider);
  slots_ *= 2;
}

void WordTable::add(const Tokens& args, i64 tokens, u32* ids) {
  Slot* slots = table();  // in locals, which counting cannot change
  u64 last = slots_ - 1;
  for (i64 i = 0; i < tokens; ++i) {
    if (i + kAhead < tokens) __builtin_prefetch(&slots[args.hashes[i + kAhead] & last], 1);
    const u64* key = args.keys + 2 * i;
    const u64 hashed = args.hashes[i];
    const i64 length = args.lengths[i];
    const unsigned char* bytes = args.text + args.starts[i];
    u64 at = hashed & last;
    while (slots[at].count && !holds(slots[at], key, bytes, length, hashed)) at = (at + 1) & last;
    if (slots[at].count) [[likely]] {
      ++slots[at].count;
      ids[i] = slots[at].number;
    } else {
      ids[i] = insert(&slots[at], key, bytes, length, hashed, 1);
      slots = table();
      last = slots_ - 1;
    }
  }
}

u32 WordTable::add(const unsigned char* bytes, i64 length, u64 times) {
  u64 key[2];
  token_words(bytes, length, key);
  const u64 hashed = token_hash(bytes, length, seed_);
  Slot* slot = probe(key, bytes, length, hashed);
  if (!slot->count) return insert(slot, key, bytes, length, hashed, times);
  slot->count += times;
  return slot->number;
}

std::vector<u32> WordTable::merge(const WordTable& other) {
  std::vector<u32> numbers(other.words_);
  for (u64 i = 0; i < other.slots_; ++i) {
    const Slot& theirs = other.table()[i];
    if (!theirs.count) continue;
    const Word added = other.word(theirs);
    const u64 hashed = hash(theirs);
    Slot* slot = probe(theirs.key, added.bytes, added.length, hashed);
    u32 number = slot->number;
    if (slot->count)
      slot->count += theirs.count;
    else
      number = insert(slot, theirs.key, added.bytes, added.length, hashed, theirs.count);
    numbers[theirs.number] = number;
  }
  return numbers;
}

WordTable::Word WordTable::find(const unsigned char* bytes, i64 length) const {
  u64 key[2];
  token_words(bytes, length, key);
  const Slot* slot = probe(key, bytes, length, token_hash(bytes, length, seed_));
  return slot->count ? word(*slot) : Word{bytes, length, 0, kNoWord};
}

}  // namespace firth
