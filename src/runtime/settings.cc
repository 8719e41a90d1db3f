// Part of the addon: settings of the process that TensorFlow offers no other way to make.
#include <dlfcn.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#endif
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <sstream>
#include <string>

// TensorFlow writes to stderr through two copies of Abseil's log, which no setting reaches. One has an exported function; the
// other has none, and writes two lines of information when it opens a session, more when XLA compiles, and, where it was built for CUDA,
// complaints without a consequence when it is loaded. What goes wrong is in the status all the same. The compiler is told to call the quiet functions below wherever
// the stock sources name these.
#undef TF_LoadSessionFromSavedModel
#undef TF_SessionRun
#undef TFE_NewContext
#undef TFE_Execute
#undef TF_NewGraph
#include "absl/log/globals.h"
#include "tensorflow/c/c_api.h"
#include "tensorflow/c/eager/c_api.h"
#include "tensorflow/core/platform/denormal.h"

namespace {

#ifdef __GLIBC__
// TensorFlow's threads would each keep freed memory of their own, 15 MB in all; they allocate too rarely to get in each
// other's way.
const int one_arena = mallopt(M_ARENA_MAX, 1);
#endif

// A worker thread sets the level only when the addon has been loaded (environment.cc).
bool IsQuiet() {
  const char* level = std::getenv("TF_CPP_MIN_LOG_LEVEL");
  return level == nullptr || std::atoi(level) >= 2;
}

// While one lives, stderr goes nowhere. Threads of the process may each have one: the last to go brings stderr back.
class Silence {
 public:
  Silence() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (count_++ > 0) return;
    // No child that is started meanwhile keeps it open.
    saved_ = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (saved_ >= 0 && nowhere >= 0) dup2(nowhere, STDERR_FILENO);
    if (nowhere >= 0) close(nowhere);
  }
  ~Silence() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--count_ > 0 || saved_ < 0) return;
    dup2(saved_, STDERR_FILENO);
    close(saved_);
  }

 private:
  static std::mutex mutex_;
  static int count_, saved_;
};
std::mutex Silence::mutex_;
int Silence::count_ = 0, Silence::saved_ = -1;

// oneDNN's products compute with the stack pointer in memory of the heap, where a signal (Ctrl-C, a resized terminal, a child's
// end, the profiler) would overwrite what lies before. While one lives this thread has none, nor have threads that begin:
// TensorFlow's never do. Node's others have them instead, or this one afterwards. What a thread does itself is no such signal.
struct NoSignals {
  NoSignals() {
    sigset_t blocked;
    sigfillset(&blocked);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) sigdelset(&blocked, own);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
  }
  ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }
  sigset_t before;
};

#ifdef __GLIBC__
// Loading leaves some 130 MB of TensorFlow's files in memory, relocations and the code that registers every kernel, most of
// which nothing reads again. They are let go of; what is read again comes from the page cache. Segments that are mapped
// without the right to write hold nothing but the file. (Node may have moved its own code to memory of another kind.)
int ForgetFile(dl_phdr_info* object, size_t, void*) {
  if (std::strstr(object->dlpi_name, "/libtensorflow_") == nullptr) return 0;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const size_t page = static_cast<size_t>(getpagesize());
    const uintptr_t start = (object->dlpi_addr + segment.p_vaddr) & ~(page - 1);
    madvise(reinterpret_cast<void*>(start), object->dlpi_addr + segment.p_vaddr + segment.p_memsz - start, MADV_DONTNEED);
  }
  return 0;
}

void ForgetFiles() { dl_iterate_phdr(ForgetFile, nullptr); }
#else
void ForgetFiles() {}
#endif

// From before TensorFlow's own initializers (the linker's -z initfirst) to the first context.
std::atomic<const Silence*> loading{IsQuiet() ? new Silence : nullptr};

void EndOfLoading() { delete loading.exchange(nullptr); }

// Whether a session has a step that XLA compiles, when it first meets a shape.
std::atomic<bool> compiles_by_xla{false};

bool IsGpuWanted() {
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  return visible == nullptr || std::strcmp(visible, "-1") != 0;
}

// TensorFlow's own search misses some of NVIDIA's libraries: 2.21 opens cuSOLVER from a library whose RUNPATH does not name
// its folder, and cuDNN looks for nvrtc where no wheel has it. A library that is open already is found by its name. One
// that does not open here is left to TensorFlow, which says so.
void OpenCudaLibraries() {
  const char* files = std::getenv("BN_TRAIN_CUDA_LIBRARIES");
  std::istringstream list(files != nullptr ? files : "");
  for (std::string file; std::getline(list, file, ':');) dlopen(file.c_str(), RTLD_LAZY | RTLD_LOCAL);
}

// ConfigProto's inter_op_parallelism_threads = -1: ops run one after the other in the thread that calls, for graphs whose regions
// do most of the work. Elsewhere TensorFlow's threads that look for ops keep cores busy that a region's helpers are to wake up
// on, and Linux lets these wait behind the caller instead, often until there is nothing left to do.
const char kInline[] = "\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
// Its graph_options.rewrite_options: one round of pruning and of fusing products with what follows. All else is off: it finds
// nothing in a fused graph, and takes longer than all the rest that comes before the first run of a recurrent layer.
const char kRewrites[] =
    "\x52\x1d\x52\x1b\x08\x02\x18\x02\x20\x01\x38\x02\x40\x02\x48\x02\x50\x02\x60\x01\x68\x02\xb0\x01\x02\xc0\x01\x02\x80\x02\x01";

// Of fused SavedModels, by their tags.
TF_SessionOptions* OptionsFor(const std::string& tag, TF_Status* status) {
  if (tag != "inline" && tag != "fused") return nullptr;
  const std::string config = (tag == "inline" ? kInline : "") + std::string(kRewrites);
  TF_SessionOptions* options = TF_NewSessionOptions();
  TF_SetConfig(options, config.data(), config.size(), status);
  return options;
}

}  // namespace

// A GPU that is wanted and does not open is a matter for words; and by now the level is known in a worker thread, too.
extern "C" TFE_Context* quiet_TFE_NewContext(const TFE_ContextOptions* options, TF_Status* status) {
  const NoSignals none;
  if (IsGpuWanted() || !IsQuiet()) EndOfLoading();
  if (IsGpuWanted()) {
    // The GPU and cuDNN are named in lines of information.
    if (IsQuiet()) absl::SetMinLogLevel(absl::LogSeverityAtLeast::kWarning);
    OpenCudaLibraries();
  }
  TFE_Context* context = TFE_NewContext(options, status);
  EndOfLoading();
  ForgetFiles();
  return context;
}

extern "C" TF_Session* quiet_TF_LoadSessionFromSavedModel(const TF_SessionOptions* session_options,
                                                           const TF_Buffer* run_options, const char* export_dir,
                                                           const char* const* tags, int tags_len, TF_Graph* graph,
                                                           TF_Buffer* meta_graph_def, TF_Status* status) {
  const NoSignals none;
  const Silence* silence = IsQuiet() ? new Silence : nullptr;
  TF_SessionOptions* const own = tags_len == 1 ? OptionsFor(tags[0], status) : nullptr;
  TF_Session* session = TF_LoadSessionFromSavedModel(own ? own : session_options, run_options, export_dir, tags, tags_len,
                                                     graph, meta_graph_def, status);
  if (own) TF_DeleteSessionOptions(own);
  delete silence;
  const char mark[] = "_xla_compile_id";
  if (memmem(meta_graph_def->data, meta_graph_def->length, mark, sizeof mark - 1) != nullptr) compiles_by_xla = true;
  return session;
}

// Only with XLA: elsewhere nothing is said but why a process crashes.
extern "C" void quiet_TF_SessionRun(TF_Session* session, const TF_Buffer* run_options, const TF_Output* inputs,
                                    TF_Tensor* const* input_values, int ninputs, const TF_Output* outputs,
                                    TF_Tensor** output_values, int noutputs, const TF_Operation* const* target_opers,
                                    int ntargets, TF_Buffer* run_metadata, TF_Status* status) {
  const NoSignals none;
  const Silence* silence = compiles_by_xla && IsQuiet() ? new Silence : nullptr;
  // As TensorFlow's own threads do, which may do a part of what this one does.
  const tensorflow::port::ScopedFlushDenormal flush;
  TF_SessionRun(session, run_options, inputs, input_values, ninputs, outputs, output_values, noutputs, target_opers,
                ntargets, run_metadata, status);
  delete silence;
}

extern "C" void quiet_TFE_Execute(TFE_Op* op, TFE_TensorHandle** results, int* count, TF_Status* status) {
  const NoSignals none;
  TFE_Execute(op, results, count, status);
}

// A graph has a thread of its own.
extern "C" TF_Graph* quiet_TF_NewGraph() {
  const NoSignals none;
  return TF_NewGraph();
}
