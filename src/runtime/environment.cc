// Part of the addon: sets variables of the process's own environment, of which process.env is but a copy in a worker thread.
#include <node_api.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

// The stock sources are compiled to give their entry this name.
#undef napi_register_module_v1
extern "C" napi_value stock_napi_register_module_v1(napi_env env, napi_value exports);

namespace {

std::string Text(napi_env env, napi_value value) {
  size_t length = 0;
  napi_get_value_string_utf8(env, value, nullptr, 0, &length);
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, &text[0], length + 1, &length);
  return text;
}

using Variables = std::map<std::string, std::string>;

std::mutex mutex;

bool IsSet(const Variables::value_type& variable) {
  const char* value = std::getenv(variable.first.c_str());
  return value != nullptr && variable.second == value;
}

// Threads that read meanwhile heed no lock: they go on with the environment before, of which setenv would free a part.
void Set(const Variables& variables) {
  const std::lock_guard<std::mutex> lock(mutex);
  if (std::all_of(variables.begin(), variables.end(), IsSet)) return;
  auto& next = *new std::vector<char*>;
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (variables.count({*entry, std::strcspn(*entry, "=")}) == 0) next.push_back(*entry);
  for (const auto& [name, value] : variables) next.push_back(strdup((name + '=' + value).c_str()));
  next.push_back(nullptr);
  environ = next.data();
}

}  // namespace

// Whoever opens the addon with { exports: { environment } } has these set, and nothing else done.
extern "C" NAPI_MODULE_EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  bool is_asked = false;
  napi_has_named_property(env, exports, "environment", &is_asked);
  if (!is_asked) return stock_napi_register_module_v1(env, exports);
  napi_value environment, names;
  uint32_t count = 0;
  Variables variables;
  napi_get_named_property(env, exports, "environment", &environment);
  napi_get_property_names(env, environment, &names);
  napi_get_array_length(env, names, &count);
  for (uint32_t i = 0; i < count; ++i) {
    napi_value name, value;
    napi_get_element(env, names, i, &name);
    napi_get_property(env, environment, name, &value);
    variables[Text(env, name)] = Text(env, value);
  }
  Set(variables);
  return exports;
}
