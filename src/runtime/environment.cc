// Part of the addon: sets variables of the process's own environment, of which process.env is but a copy in a worker thread.
#include <node_api.h>

#include <cstdlib>
#include <string>

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

// What is as it should be stays untouched: other threads may be reading.
void Set(const std::string& name, const std::string& value) {
  const char* before = std::getenv(name.c_str());
  if (before == nullptr || value != before) setenv(name.c_str(), value.c_str(), 1);
}

}  // namespace

// Whoever opens the addon with { exports: { environment } } has these set, and nothing else done.
extern "C" NAPI_MODULE_EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  bool is_asked = false;
  napi_has_named_property(env, exports, "environment", &is_asked);
  if (!is_asked) return stock_napi_register_module_v1(env, exports);
  napi_value environment, names;
  uint32_t count = 0;
  napi_get_named_property(env, exports, "environment", &environment);
  napi_get_property_names(env, environment, &names);
  napi_get_array_length(env, names, &count);
  for (uint32_t i = 0; i < count; ++i) {
    napi_value name, value;
    napi_get_element(env, names, i, &name);
    napi_get_property(env, environment, name, &value);
    Set(Text(env, name), Text(env, value));
  }
  return exports;
}
