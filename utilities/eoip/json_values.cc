// SPDX-License-Identifier: Apache-2.0
//
// Reads JSON by OVS's own library: see json_values.h.

#include "json_values.h"

#include "util.h"
#include <config.h>
extern "C" {
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
}

namespace eoip {
namespace {

// Releases of OVS give access to an array in two ways.
template <typename Json>
std::vector<const json *> elements_of(const Json *array)
{
    std::vector<const json *> list;
    if (!array || array->type != JSON_ARRAY) {
        return list;
    }
    if constexpr (requires { json_array_size(array); }) {
        for (std::size_t i = 0; i < json_array_size(array); i++) {
            list.push_back(json_array_at(array, i));
        }
    } else {
        const auto *all = json_array(array);
        list.assign(all->elems, all->elems + all->n);
    }
    return list;
}

}  // namespace

const json *member(const json *object, const char *name)
{
    return object && object->type == JSON_OBJECT ? static_cast<const json *>(
               shash_find_data(json_object(object), name))
                                                 : nullptr;
}

std::string text(const json *value)
{
    if (value && value->type == JSON_STRING) {
        return json_string(value);
    }
    return value && value->type == JSON_INTEGER
               ? std::to_string(json_integer(value))
               : "";
}

std::string text(const json *object, const char *name)
{
    return text(member(object, name));
}

bool has(const json *object, const char *name)
{
    return object && object->type == JSON_OBJECT
           && shash_find(json_object(object), name);
}

std::optional<long long> integer(const json *value)
{
    return value && value->type == JSON_INTEGER
               ? std::optional(json_integer(value))
               : std::nullopt;
}

bool is_array(const json *value)
{
    return value && value->type == JSON_ARRAY;
}

std::vector<const json *> elements(const json *array)
{
    return elements_of(array);
}

Json parse_json(const std::string &text)
{
    return Json(json_from_string(text.c_str()));
}

void FreeJson::operator()(json *value) const
{
    json_destroy(value);
}

}  // namespace eoip
