// Part of the addon: settings of the process that TensorFlow offers no other way to make.
#include <fcntl.h>
#ifdef __GLIBC__
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#endif
#include <unistd.h>

#include <cstdlib>

// TensorFlow writes two lines of information to stderr when it opens a session, through a copy of Abseil's log that no
// setting and no exported function reaches. What goes wrong is in the status all the same. The compiler is told to call
// the quiet function below wherever the stock sources name this one.
#undef TF_LoadSessionFromSavedModel
#include "tensorflow/c/c_api.h"

namespace {

#ifdef __GLIBC__
// TensorFlow's threads would each keep freed memory of their own, 15 MB in all; they allocate too rarely to get in each
// other's way.
const int one_arena = mallopt(M_ARENA_MAX, 1);

// Loading leaves some 150 MB of the files of Node and TensorFlow in memory, relocations and the code that registers every
// kernel, most of which nothing reads again. They are let go of; what is read again comes from the page cache. Segments
// that are mapped without the right to write hold nothing but the file.
int ForgetFilePages(dl_phdr_info* object, size_t, void*) {
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const size_t page = static_cast<size_t>(getpagesize());
    const uintptr_t start = (object->dlpi_addr + segment.p_vaddr) & ~(page - 1);
    madvise(reinterpret_cast<void*>(start), object->dlpi_addr + segment.p_vaddr + segment.p_memsz - start, MADV_DONTNEED);
  }
  return 0;
}

const int forgotten = dl_iterate_phdr(ForgetFilePages, nullptr);
#endif

bool IsQuiet() {
  const char* level = std::getenv("TF_CPP_MIN_LOG_LEVEL");
  return level != nullptr && std::atoi(level) >= 2;
}

// While it lives, stderr goes nowhere.
class Silence {
 public:
  Silence() : saved_(dup(STDERR_FILENO)) {
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (saved_ >= 0 && nowhere >= 0) dup2(nowhere, STDERR_FILENO);
    if (nowhere >= 0) close(nowhere);
  }
  ~Silence() {
    if (saved_ < 0) return;
    dup2(saved_, STDERR_FILENO);
    close(saved_);
  }

 private:
  const int saved_;
};

}  // namespace

extern "C" TF_Session* quiet_TF_LoadSessionFromSavedModel(const TF_SessionOptions* session_options,
                                                           const TF_Buffer* run_options, const char* export_dir,
                                                           const char* const* tags, int tags_len, TF_Graph* graph,
                                                           TF_Buffer* meta_graph_def, TF_Status* status) {
  const Silence* silence = IsQuiet() ? new Silence : nullptr;
  TF_Session* session = TF_LoadSessionFromSavedModel(session_options, run_options, export_dir, tags, tags_len, graph,
                                                     meta_graph_def, status);
  delete silence;
  return session;
}
