// SPDX-License-Identifier: Apache-2.0
// Values one behind the other in bytes, to be handed to another process. The reader trusts nothing:
// every size is compared with what is left before anything is made of it.
#ifndef MPC_BASE_FLAT_BYTES_HPP
#define MPC_BASE_FLAT_BYTES_HPP

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace mpc {

// What is put as its bytes: nothing that points, nothing with gaps of unknown bytes.
template <class T>
concept Flat = std::is_trivially_copyable_v<T> && !std::is_pointer_v<T> &&
               std::has_unique_object_representations_v<T>;

class FlatWriter {
 public:
  FlatWriter() = default;
  explicit FlatWriter(uint32_t version) { put(version); }

  template <Flat T>
  void put(const T& value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  template <Flat T>
  void put_list(const std::vector<T>& values) {
    put(uint64_t{values.size()});
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }
  void put_text(std::string_view text) {
    put(uint64_t{text.size()});
    bytes_.append(text);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Once something is missing all that follows is, and done() is false.
class FlatReader {
 public:
  explicit FlatReader(std::string_view bytes) : left_(bytes) {}
  // Of bytes that begin with another version all is missing.
  FlatReader(std::string_view bytes, uint32_t version) : FlatReader(bytes) {
    uint32_t found = 0;
    get(found);
    if (found != version) good_ = false;
  }

  template <Flat T>
  void get(T& value) {
    if (const char* bytes = take(1, sizeof value)) memcpy(&value, bytes, sizeof value);
  }
  template <Flat T>
  void get_list(std::vector<T>& values) {
    uint64_t count = 0;
    get(count);
    const char* bytes = take(count, sizeof(T));
    if (bytes == nullptr || count == 0) return values.clear();
    values.resize(count);
    memcpy(values.data(), bytes, count * sizeof(T));
  }
  void get_text(std::string& text) {
    uint64_t size = 0;
    get(size);
    if (const char* bytes = take(size, 1)) text.assign(bytes, size);
  }

  // Whether all was there and nothing is left.
  bool done() const { return good_ && left_.empty(); }

 private:
  const char* take(uint64_t count, size_t each) {
    if (!good_ || count > left_.size() / each) {
      good_ = false;
      return nullptr;
    }
    const char* bytes = left_.data();
    left_.remove_prefix(count * each);
    return bytes;
  }

  std::string_view left_;
  bool good_ = true;
};

}  // namespace mpc

#endif
