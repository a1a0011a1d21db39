// SPDX-License-Identifier: Apache-2.0
// Shared objects: made, attached, destroyed, and gone when nobody holds them. The words and the
// life of an object are in layout.hpp.
#ifndef MPC_GROUP_OBJECT_HPP
#define MPC_GROUP_OBJECT_HPP

#include "group/group.hpp"

namespace mpc {

struct ObjectId {
  uint32_t index = 0;
  uint32_t generation = 0;
  bool operator==(const ObjectId&) const = default;
  uint32_t word() const { return object_word(index, generation); }
};

// An object that is being made: it ends with this unless it was made live.
class NewObject {
 public:
  static Result<NewObject> begin(Group& group, uint32_t kind, uint64_t size);
  NewObject(NewObject&& other) noexcept;
  NewObject& operator=(NewObject&&) = delete;
  ~NewObject();

  const ObjectId& id() const { return id_; }
  // Memory that goes when the object does. The first is its body.
  Result<uint64_t> allocate(uint64_t size);
  // Makes it live, with this participant as its holder: the committing store.
  Result<void> commit();

 private:
  NewObject(Group& group, ObjectId id) : group_(&group), id_(id) {}
  Group* group_;
  ObjectId id_;
};

// More memory for an object that this participant holds.
Result<uint64_t> object_allocate(Group& group, ObjectId id, uint64_t size);

// Makes a block that is private to this participant the object's, which this participant holds.
void object_adopt(Group& group, ObjectId id, uint64_t offset);

// Makes `owner` a holder. MPC_ESTALE if the object cannot be attached any more. `owner` is this
// participant, or a record that it has reserved.
Result<void> object_attach(Group& group, ObjectId id, Owner owner);

// Takes one holder word of `owner` out; ends the object if it was the last.
void object_detach(Group& group, ObjectId id, Owner owner);

// Nobody can attach from now on. False if that was so before.
bool object_destroy(Group& group, ObjectId id);

bool object_live(const Group& group, ObjectId id);

inline uint64_t object_body(const Group& group, ObjectId id) {
  return group.descriptor(id.index).body.load();
}

// Ends or finishes what a dead participant was making or closing, and lets go what it held.
void object_sweep(Group& group, Owner dead);

uint64_t object_count(const Group& group);

}  // namespace mpc

#endif
