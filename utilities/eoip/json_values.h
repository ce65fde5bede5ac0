// SPDX-License-Identifier: Apache-2.0
//
// Reading JSON.
// Pointers to what is not there are nullptr, and may be asked, too.

#ifndef EOIP_UTILITIES_JSON_VALUES_H
#define EOIP_UTILITIES_JSON_VALUES_H

#include <memory>
#include <optional>
#include <string>
#include <vector>

struct json;

namespace eoip {

struct FreeJson {
    void operator()(json *value) const;
};
using Json = std::unique_ptr<json, FreeJson>;

// A string, which says what is wrong, if 'text' is no JSON.
[[nodiscard]] Json parse_json(const std::string &text);

// A member of an object, nullptr if it is null or there is none.
[[nodiscard]] const json *member(const json *object, const char *name);

// Whether there is one, null or not.
[[nodiscard]] bool has(const json *object, const char *name);

// A string or number; "" for all else.
[[nodiscard]] std::string text(const json *value);
[[nodiscard]] std::string text(const json *object, const char *name);

[[nodiscard]] std::optional<long long> integer(const json *value);

[[nodiscard]] bool is_array(const json *value);
[[nodiscard]] std::vector<const json *> elements(const json *array);

}  // namespace eoip

#endif  // EOIP_UTILITIES_JSON_VALUES_H
