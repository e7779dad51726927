// Text in, corpus out, in one pass: each thread counts words in a table of its own and keeps the numbers its table gave
// them; when all is read the tables are merged, the vocabulary is chosen, and the numbers become ids in place.
// Neither the cut into blocks nor the number of threads changes the result, nor does a bound of memory: blocks beyond
// it go to a file, and then so do ids and offsets.
#pragma once

#include <atomic>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

#include "dispatch.h"
#include "overflow.h"
#include "word_table.h"

namespace firth {

class WordCounter {
 public:
  static constexpr i64 kBlock = i64{1} << 20;  // bytes of text that one thread takes at a time

  // Text is counted by `workers` threads at most, numbered from 0. Throws std::length_error from check() when there are
  // more than `max_words` different words. With an `overflow`, ids and offsets take at most `memory` bytes, beside
  // words and what each thread works with.
  WordCounter(const Kernels& kernels, int workers, u64 seed, u32 max_words, i64 memory = 0,
              Overflow* overflow = nullptr);

  // Room for so many more blocks of so much text in all, filled in any order by any threads; the number of the first.
  i64 add_blocks(i64 blocks, i64 bytes);
  // Fills a block with the tokens that start in `range` of the text or the file. They throw nothing: see check().
  void count_text(i64 block, int worker, const unsigned char* text, i64 size, Range range);
  void count_file(i64 block, int worker, int file, Range range);
  // Throws what went wrong in a block: std::system_error, OverflowError, std::bad_alloc or std::length_error.
  void check();

  // One token after the others, whatever its bytes; serial.
  void add_token(const unsigned char* bytes, i64 length);
  // What comes next is another sentence; serial, and after the blocks before it are filled.
  void end_sentence();

  // Ends reading: flushes what add_token holds and merges the tables.
  void merge();
  i64 tokens() const { return tokens_; }  // all of them, known after merge()
  u32 types() const { return workers_[0]->table.size(); }

  // The vocabulary, after merge(): the words of count >= min_count, most frequent first, ties by bytes, at most
  // max_words.
  std::vector<WordTable::Word> choose(u64 min_count, i64 max_words) const;
  // A word of the text, or one of count 0 and number kNoWord; after merge().
  WordTable::Word look_up(const unsigned char* bytes, i64 length) const;
  // The id of a word is the position of its number in this list; other words are dropped.
  void assign(const std::vector<u32>& numbers);

  // After assign(): turns the numbers of a block into ids; any order, any threads.
  i64 blocks() const { return static_cast<i64>(blocks_.size()); }
  void encode(i64 block);
  // After encode() of all: how many ids and sentences there are, then where the sentences lie, then the ids.
  void measure(i64* kept, i64* sentences);
  void write_offsets(i64* offsets) const;
  Pages take_ids();

  // Where a block lies in a file, this comes in the place of encode() and what follows it. For the next blocks, as many
  // as there are stages at most, stage() turns the numbers of each into ids, line_up() finds where all of them go and
  // writes where sentences end, store() writes the ids; stage() and store() in any order, by any threads.
  bool overflowed() const { return filed_ > 0; }
  i64 stages() const { return static_cast<i64>(staged_.size()); }
  void stage(i64 block, i64 stage);
  void line_up(i64 block, i64 blocks);
  void store(i64 block, i64 stage);
  // After all: how many ids and sentences there are.
  void close(i64* kept, i64* sentences);

 private:
  struct Block {
    i64 place = 0, tokens = 0;  // of its numbers in numbers_, where the block that is ready first lies first
    i64 first = 0;              // position of its first id in the corpus, after measure()
    std::vector<u32> breaks;    // a sentence ends before this token of the block
    std::vector<u32> aside;     // its ids, while another block goes where they lay
    i64 filed_breaks = 0;       // that lie behind the numbers
    int worker = 0;
    bool filed = false;  // the place is one in the file
    bool ends = false;   // a sentence ends behind the block
  };
  struct Staged {
    std::vector<u32> ids, breaks;
  };
  struct Worker {
    Worker(u64 seed, u32 max_words);
    void reserve(i64 capacity, i64 used);  // of text

    WordTable table;
    std::unique_ptr<unsigned char[]> text;
    i64 text_capacity = 0;
    std::vector<i64> starts, lengths, breaks;
    std::vector<u64> keys, hashes;
    std::vector<u32> ids, cuts;  // of the block being filled: its numbers, then its breaks
    std::vector<u32> final;      // number in the table -> merged number, then id
  };

  template <class F>
  void guarded(int worker, F work);
  void count(Block& block, Worker& worker, const unsigned char* text, i64 size, Range range);
  void keep(Block& block, const u32* numbers, i64 tokens, const std::vector<u32>& breaks);
  void make_room(i64 tokens);
  void flush_tokens();
  void write_ends();
  template <class F>
  void each_sentence_end(F f) const;

  const Kernels& kernels_;
  u64 seed_;
  u32 max_words_;
  i64 memory_;
  Overflow* overflow_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::deque<Block> blocks_;
  Pages numbers_;              // of the tokens of all blocks; then ids
  std::atomic<i64> used_{0};   // tokens in numbers_
  std::atomic<i64> asked_{0};  // bytes of ids and offsets
  std::atomic<i64> filed_{0};  // numbers and breaks in the file
  std::vector<Staged> staged_;
  std::vector<i64> ends_;  // of sentences, to be written
  i64 kept_ = 0, sentences_ = 0, last_ = 0;
  std::vector<u32> loose_;  // what add_token holds, in worker 0's numbers
  std::vector<u32> loose_breaks_;
  i64 tokens_ = 0;
  std::mutex mutex_;
  std::exception_ptr failure_;
};

}  // namespace firth
