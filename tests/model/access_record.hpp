// SPDX-License-Identifier: Apache-2.0
// Who writes which words, as far as it is known, so that loads which nobody can influence need not
// be points where participants are stopped.
//
// A load of a word that no other participant ever writes gives the same value wherever in the
// schedule it is, and dying before or after it is the same: it may be taken together with the
// access before it. Who writes what is not known beforehand. So it is assumed that nobody does,
// the model is explored on that assumption, and if a write turns up that contradicts it, the model
// is explored again with that write known, until nothing contradicts. Then the assumption is
// proved: the first write against it, in any schedule, would come after steps that obey it, so
// the exploration would have met it.
#ifndef MPC_TESTS_MODEL_ACCESS_RECORD_HPP
#define MPC_TESTS_MODEL_ACCESS_RECORD_HPP

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace mpc::model {

class AccessRecord {
 public:
  // Whether participant `who` may load this word without stopping; remembers that it does.
  bool assume_own(const void* word, int who);
  void written(const void* word, int who);
  // By a call that empties memory.
  void written_range(const void* from, size_t size, int who);

  // True if a word that was assumed to be somebody's own was written since the last call.
  bool take_contradiction();

 private:
  struct Word {
    uint8_t writers = 0;   // a bit for each participant
    uint8_t assumers = 0;  // who loads it without stopping
  };
  struct Range {
    uintptr_t from;
    uintptr_t to;
    int who;
  };

  Word& at(const void* word);
  void add_writer(Word* word, int who);

  std::unordered_map<uintptr_t, Word> words_;
  std::vector<Range> emptied_;
  bool contradicted_ = false;
};

}  // namespace mpc::model

#endif
