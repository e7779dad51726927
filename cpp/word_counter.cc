#include "word_counter.h"

#include <algorithm>
#include <cstring>

namespace firth {
namespace {

constexpr i64 kPiece = 8 << 10;          // bytes per kernel call: what it finds stays in the nearest caches
constexpr i64 kMoreText = 64 << 10;      // how much further is read when a token crosses the end of a block
constexpr std::size_t kLoose = 1 << 18;  // tokens in a block of loose ones
// What a bound of memory counts: an id; where a sentence ends in its block, and in the corpus.
constexpr i64 kTokenBytes = 4, kSentenceBytes = 4 + 8;

// Words in the order of a vocabulary: by count, then by bytes, whose first eight are compared as one number.
struct Ranked {
  u64 count, head;
  const WordTable::Word* word;
};

bool precedes(const Ranked& a, const Ranked& b) {
  if (a.count != b.count) return a.count > b.count;
  if (a.head != b.head) return a.head < b.head;
  const i64 common = std::min(a.word->length, b.word->length);
  const int order = std::memcmp(a.word->bytes, b.word->bytes, static_cast<std::size_t>(common));
  return order ? order < 0 : a.word->length < b.word->length;
}

u64 head(const WordTable::Word& word) {
  u64 value = 0;
  for (i64 i = 0; i < 8; ++i) value = value << 8 | (i < word.length ? word.bytes[i] : 0u);
  return value;
}

// Turns numbers into ids in place, and breaks with them; returns how many are left.
i64 encoded(u32* ids, i64 tokens, std::vector<u32>& breaks, const std::vector<u32>& final) {
  const u32* id_of = final.data();
  i64 at = 0, kept = 0;
  const auto encode_until = [&](i64 end) {
    for (; at < end; ++at) {
      const u32 id = id_of[ids[at]];
      ids[kept] = id;  // kept or overwritten by the next: no branch
      kept += id != kNoWord;
    }
  };
  for (u32& before : breaks) {
    encode_until(before);
    before = static_cast<u32>(kept);
  }
  encode_until(tokens);
  return kept;
}

}  // namespace

WordCounter::Worker::Worker(u64 seed, u32 max_words)
    : table(seed, max_words),
      starts(kPiece / 2),
      lengths(kPiece / 2),
      breaks(kPiece / 2 + 1),
      keys(kPiece),
      hashes(kPiece / 2) {}

void WordCounter::Worker::reserve(i64 capacity, i64 used) {
  if (capacity <= text_capacity) return;
  auto wider = std::make_unique_for_overwrite<unsigned char[]>(static_cast<std::size_t>(capacity));
  if (used) std::memcpy(wider.get(), text.get(), static_cast<std::size_t>(used));
  text = std::move(wider);
  text_capacity = capacity;
}

WordCounter::WordCounter(const Kernels& kernels, int workers, u64 seed, u32 max_words, i64 memory, Overflow* overflow)
    : kernels_(kernels), seed_(seed), max_words_(max_words), memory_(memory), overflow_(overflow) {
  workers_.resize(static_cast<std::size_t>(std::max(1, workers)));
  workers_[0] = std::make_unique<Worker>(seed, max_words);
}

// Runs work(worker) and keeps the first thing it throws.
template <class F>
void WordCounter::guarded(int worker, F work) {
  try {
    std::unique_ptr<Worker>& mine = workers_[worker];
    if (!mine) mine = std::make_unique<Worker>(seed_, max_words_);
    work(*mine);
  } catch (...) {
    std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
}

void WordCounter::check() {
  std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
}

i64 WordCounter::add_blocks(i64 blocks, i64 bytes) {
  flush_tokens();
  const i64 first = this->blocks();
  blocks_.resize(blocks_.size() + static_cast<std::size_t>(blocks));
  make_room(bytes / 2 + blocks);
  return first;
}

void WordCounter::make_room(i64 tokens) {
  std::size_t wanted = static_cast<std::size_t>(used_ + tokens) * sizeof(u32);
  if (overflow_) wanted = std::min(wanted, static_cast<std::size_t>(memory_));
  if (wanted > numbers_.bytes()) numbers_.resize(wanted);
}

void WordCounter::count_text(i64 block, int worker, const unsigned char* text, i64 size, Range range) {
  guarded(worker, [&](Worker& mine) {
    blocks_[block].worker = worker;
    count(blocks_[block], mine, text, size, range);
  });
}

void WordCounter::count_file(i64 block, int worker, int file, Range range) {
  guarded(worker, [&](Worker& mine) {
    const i64 lead = range.begin > 0;  // the byte before tells whether a token begins here
    const i64 wanted = range.end - range.begin + lead;
    mine.reserve(wanted + kMoreText, 0);
    i64 size = read_at(file, mine.text.get(), wanted, range.begin - lead);
    const unsigned char* text = mine.text.get();
    // The last token may go on behind the block; then the rest of it is read too.
    bool open = size == wanted && size > lead && !is_separator(text[size - 1]) &&
                (!lead || std::any_of(text, text + size, is_separator));
    while (open) {
      const i64 more = std::max(kMoreText, size / 2);
      mine.reserve(size + more, size);
      unsigned char* rest = mine.text.get() + size;
      const i64 got = read_at(file, rest, more, range.begin - lead + size);
      open = got == more && std::none_of(rest, rest + got, is_separator);
      size += got;
    }
    blocks_[block].worker = worker;
    count(blocks_[block], mine, mine.text.get(), size, {lead, std::min(size, wanted)});
    if (mine.text_capacity > 4 * kBlock) {
      mine.text.reset();
      mine.text_capacity = 0;
    }
  });
}

void WordCounter::count(Block& block, Worker& worker, const unsigned char* text, i64 size, Range range) {
  worker.ids.resize(static_cast<std::size_t>(std::max<i64>(0, max_tokens(range)) + kPiece));
  worker.cuts.clear();
  i64 tokens = 0, found[2];
  const Tokens args{text,
                    size,
                    seed_,
                    worker.starts.data(),
                    worker.lengths.data(),
                    worker.keys.data(),
                    worker.hashes.data(),
                    worker.breaks.data(),
                    found};
  for (i64 at = range.begin; at < range.end; at += kPiece) {
    kernels_.tokens(args, {at, std::min(range.end, at + kPiece)});
    for (i64 i = 0; i < found[1]; ++i) worker.cuts.push_back(static_cast<u32>(tokens + worker.breaks[i]));
    worker.table.add(args, found[0], worker.ids.data() + tokens);
    tokens += found[0];
  }
  keep(block, worker.ids.data(), tokens, worker.cuts);
}

void WordCounter::keep(Block& block, const u32* numbers, i64 tokens, const std::vector<u32>& breaks) {
  const i64 cuts = static_cast<i64>(breaks.size()), bytes = kTokenBytes * tokens + kSentenceBytes * cuts;
  block.tokens = tokens;
  block.filed = overflow_ && asked_.fetch_add(bytes) + bytes > memory_;
  if (block.filed) {
    block.filed_breaks = cuts;
    block.place = filed_.fetch_add(tokens + cuts);
    overflow_->write(Overflow::kNumbers, numbers, 4 * tokens, 4 * block.place);
    overflow_->write(Overflow::kNumbers, breaks.data(), 4 * cuts, 4 * (block.place + tokens));
    return;
  }
  block.breaks = breaks;
  block.place = used_.fetch_add(tokens);
  if (tokens) std::memcpy(numbers_.as<u32>() + block.place, numbers, static_cast<std::size_t>(tokens) * sizeof(u32));
}

void WordCounter::add_token(const unsigned char* bytes, i64 length) {
  loose_.push_back(workers_[0]->table.add(bytes, length, 1));
  if (loose_.size() == kLoose) flush_tokens();
}

void WordCounter::end_sentence() {
  const u32 here = static_cast<u32>(loose_.size());
  if (here > 0) {
    if (loose_breaks_.empty() || loose_breaks_.back() < here) loose_breaks_.push_back(here);
  } else if (!blocks_.empty()) {
    blocks_.back().ends = true;
  }
}

void WordCounter::flush_tokens() {
  if (loose_.empty()) return;
  make_room(static_cast<i64>(loose_.size()));
  keep(blocks_.emplace_back(), loose_.data(), static_cast<i64>(loose_.size()), loose_breaks_);
  loose_.clear();
  loose_breaks_.clear();
}

void WordCounter::merge() {
  flush_tokens();
  tokens_ = 0;
  for (const Block& block : blocks_) tokens_ += block.tokens;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (!workers_[i]) continue;
    workers_[i]->ids = {};
    if (i == 0) continue;
    workers_[i]->final = workers_[0]->table.merge(workers_[i]->table);
    workers_[i]->table = WordTable(seed_, max_words_);  // gives the memory back
  }
}

std::vector<WordTable::Word> WordCounter::choose(u64 min_count, i64 max_words) const {
  std::vector<WordTable::Word> words;
  workers_[0]->table.each([&](const WordTable::Word& word) {
    if (word.count >= min_count) words.push_back(word);
  });
  std::vector<Ranked> order;
  order.reserve(words.size());
  for (const WordTable::Word& word : words) order.push_back({word.count, head(word), &word});
  std::sort(order.begin(), order.end(), precedes);
  if (max_words < static_cast<i64>(order.size())) order.resize(static_cast<std::size_t>(max_words));
  std::vector<WordTable::Word> chosen;
  chosen.reserve(order.size());
  for (const Ranked& one : order) chosen.push_back(*one.word);
  return chosen;
}

WordTable::Word WordCounter::look_up(const unsigned char* bytes, i64 length) const {
  return workers_[0]->table.find(bytes, length);
}

void WordCounter::assign(const std::vector<u32>& numbers) {
  if (overflowed()) staged_.resize(workers_.size());
  auto& ids = workers_[0]->final;
  ids.assign(types(), kNoWord);
  for (std::size_t id = 0; id < numbers.size(); ++id)
    if (numbers[id] != kNoWord) ids[numbers[id]] = static_cast<u32>(id);
  for (std::size_t i = 1; i < workers_.size(); ++i)
    if (workers_[i])
      for (u32& number : workers_[i]->final) number = ids[number];
}

void WordCounter::encode(i64 block) {
  Block& mine = blocks_[block];
  mine.tokens = encoded(numbers_.as<u32>() + mine.place, mine.tokens, mine.breaks, workers_[mine.worker]->final);
}

// Calls f(position) where a sentence that has tokens ends.
template <class F>
void WordCounter::each_sentence_end(F f) const {
  i64 last = 0, total = 0;
  for (const Block& block : blocks_) {
    for (const u32 before : block.breaks)
      if (block.first + before > last) f(last = block.first + before);
    total = block.first + block.tokens;
    if (block.ends && total > last) f(last = total);
  }
  if (total > last) f(total);
}

void WordCounter::measure(i64* kept, i64* sentences) {
  *kept = *sentences = 0;
  for (Block& block : blocks_) {
    block.first = *kept;
    *kept += block.tokens;
  }
  each_sentence_end([&](i64) { ++*sentences; });
}

void WordCounter::write_offsets(i64* offsets) const {
  *offsets = 0;
  each_sentence_end([&](i64 end) { *++offsets = end; });
}

// Moves every block to its place in the corpus. Blocks lie nearly in order, so that seldom one must step aside for
// another that goes where it lies.
Pages WordCounter::take_ids() {
  u32* ids = numbers_.as<u32>();
  std::vector<Block*> by_place;
  for (Block& block : blocks_) by_place.push_back(&block);
  std::sort(by_place.begin(), by_place.end(), [](const Block* a, const Block* b) { return a->place < b->place; });
  std::size_t next = 0;  // blocks before it in by_place were moved or have stepped aside
  i64 total = 0;
  for (Block& block : blocks_) {
    for (; next < by_place.size() && by_place[next]->place < block.first + block.tokens; ++next) {
      Block& other = *by_place[next];
      if (&other == &block || other.first < block.first) continue;
      other.aside.assign(ids + other.place, ids + other.place + other.tokens);
    }
    const bool aside = !block.aside.empty();
    if (block.tokens)
      std::memmove(ids + block.first, aside ? block.aside.data() : ids + block.place,
                   static_cast<std::size_t>(block.tokens) * sizeof(u32));
    block.aside = {};
    total += block.tokens;
  }
  numbers_.resize(static_cast<std::size_t>(total) * sizeof(u32));
  return std::move(numbers_);
}

void WordCounter::stage(i64 block, i64 stage) {
  Block& mine = blocks_[block];
  Staged& to = staged_[stage];
  if (mine.filed) {
    const i64 size = mine.tokens + mine.filed_breaks;
    to.ids.resize(static_cast<std::size_t>(size));
    overflow_->read(Overflow::kNumbers, to.ids.data(), 4 * size, 4 * mine.place);
    overflow_->forget(Overflow::kNumbers, 4 * size, 4 * mine.place);
    to.breaks.assign(to.ids.begin() + mine.tokens, to.ids.end());
  } else {
    const u32* numbers = numbers_.as<u32>() + mine.place;
    to.ids.assign(numbers, numbers + mine.tokens);
    to.breaks.swap(mine.breaks);
  }
  mine.tokens = encoded(to.ids.data(), mine.tokens, to.breaks, workers_[mine.worker]->final);
}

void WordCounter::line_up(i64 block, i64 blocks) {
  for (i64 i = 0; i < blocks; ++i) {
    Block& mine = blocks_[block + i];
    mine.first = kept_;
    const auto end = [&](i64 place) {
      if (place > last_) ends_.push_back(last_ = place);
    };
    for (const u32 before : staged_[i].breaks) end(mine.first + before);
    kept_ += mine.tokens;
    if (mine.ends) end(kept_);
    write_ends();
  }
}

void WordCounter::store(i64 block, i64 stage) {
  const Block& mine = blocks_[block];
  overflow_->write(Overflow::kIds, staged_[stage].ids.data(), 4 * mine.tokens, 4 * mine.first);
}

void WordCounter::write_ends() {
  const i64 many = static_cast<i64>(ends_.size());
  if (many) overflow_->write(Overflow::kOffsets, ends_.data(), 8 * many, 8 * (1 + sentences_));
  sentences_ += many;
  ends_.clear();
}

void WordCounter::close(i64* kept, i64* sentences) {
  if (kept_ > last_) ends_.push_back(kept_);
  write_ends();
  const i64 begin = 0;
  overflow_->write(Overflow::kOffsets, &begin, 8, 0);
  *kept = kept_;
  *sentences = sentences_;
}

}  // namespace firth
