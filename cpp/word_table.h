// A growing table of words with their counts. A word's number is its order of first appearance. Open addressing with
// linear probing; a word of up to 16 bytes, nearly every one, lies in its slot, so that counting it touches one cache
// line.
#pragma once

#include <memory>
#include <vector>

#include "firth/tokens.h"
#include "pages.h"

namespace firth {

constexpr u32 kNoWord = 0xFFFFFFFF;

class WordTable {
 public:
  struct Word {
    const unsigned char* bytes;
    i64 length;
    u64 count;
    u32 number;
  };

  // The table throws std::length_error when it should take more than `max_words` different words.
  WordTable(u64 seed, u32 max_words);

  u32 size() const { return words_; }
  u64 seed() const { return seed_; }

  // Counts the tokens that the kernel found in args.text; their numbers go to `ids`.
  void add(const Tokens& args, i64 tokens, u32* ids);
  // Counts one word `times` times; bytes may be anything.
  u32 add(const unsigned char* bytes, i64 length, u64 times);
  // Adds all words and counts of the other table, made with the same seed; the result maps its numbers to the ones
  // here.
  std::vector<u32> merge(const WordTable& other);
  // The word, or one with count 0 and number kNoWord.
  Word find(const unsigned char* bytes, i64 length) const;

  // Calls f(Word) for every word, in no order; the bytes live as long as nothing is added.
  template <class F>
  void each(F f) const {
    for (u64 i = 0; i < slots_; ++i)
      if (const Slot& slot = table()[i]; slot.count) f(word(slot));
  }

 private:
  struct Slot {
    u64 key[2];  // up to 16 bytes: the bytes, then zeros; longer: the hash and the number among the long words
    u64 count;   // 0: free
    u32 number;
    u32 length;  // 17: longer than 16
  };
  struct LongWord {
    std::unique_ptr<unsigned char[]> bytes;
    i64 length;
  };

  Slot* table() const { return memory_.as<Slot>(); }
  u64 hash(const Slot& slot) const {
    return slot.length > 16 ? slot.key[0] : token_hash_step(0, slot.key[0], slot.key[1], seed_);
  }
  Word word(const Slot& slot) const;
  bool holds(const Slot& slot, const u64* key, const unsigned char* bytes, i64 length, u64 hash) const;
  Slot* probe(const u64* key, const unsigned char* bytes, i64 length, u64 hash) const;
  u32 insert(Slot* slot, const u64* key, const unsigned char* bytes, i64 length, u64 hash, u64 times);
  void grow();

  u64 seed_, slots_;
  u32 max_words_, words_ = 0;
  Pages memory_;
  std::vector<LongWord> long_words_;
};

}  // namespace firth
