// Part of the addon: the stock sources that call TensorFlow, with the names of ops' attributes kept by each thread for itself.
#include <set>
#include <string>

namespace tfnodejs {

// The stock sources have one set for all threads: workers that add to it at the same time damage it.
static std::set<std::string>* OwnNames() {
  thread_local std::set<std::string> names;
  return &names;
}

}  // namespace tfnodejs

// Where they define their set this declares the function once more; everywhere else it calls it.
#define ATTR_NAME_SET (*OwnNames())
#include "binding/tfjs_backend.cc"
