/** The pinned builds of TensorFlow: every wheel with its version, size and hash, and which build a machine takes. */
import { cannot, EXIT } from '../../common/errors.js';
import { toType } from '../../common/invocation.js';

export interface Wheel {
  name: string;
  version: string;
  /** In bytes. */
  size: number;
  sha256: string;
}

export interface Build {
  /** As in "linux-x64". */
  platform: string;
  device: 'cpu' | 'cuda';
  /** TensorFlow's. */
  version: string;
  /** TensorFlow's wheel first, then those of its own `and-cuda` list. */
  wheels: readonly Wheel[];
  /** What is kept of them once they are unpacked, in bytes. */
  disk: number;
  /** pip's words for the wheels; which Python they were made for does not matter, as only their C++ libraries are used. */
  pip: { python: string; platforms: string[] };
}

const TENSORFLOW = {
  cpu: wheels(`
    tensorflow-cpu           2.18.1    230236181 810c75d7149d2da0cb2092187817b0dcabb80728ca9f9cf3a61f3f42fadd1298
    tensorflow-cpu           2.21.0    273829956 2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c
  `),
  cuda: wheels(`
    tensorflow               2.18.1    615510377 c9f87e5d2a680a4595f5dc30daf6bbaec9d4129b46d7ef1b2af63c46ac7d2828
    tensorflow               2.21.0    572440367 9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124
  `),
};

/** CUDA 12.5.1 and cuDNN 9.3, with which both versions were built: 2.18.1 asks for just these, 2.21.0 for these or newer. */
const CUDA = wheels(`
    nvidia-cublas-cu12       12.5.3.2  363313169 ca070ad70e9fa6654084575d01bd001f30cc4665e33d4bb9fc8e0f321caa034b
    nvidia-cuda-cupti-cu12   12.5.82    13811507 bde77a5feb66752ec61db2adfe47f56b941842825b4c7e2068aff27c9d107953
    nvidia-cuda-nvcc-cu12    12.5.82    22468537 b03e545b8e8c3ce7ebcd7fc44063180ff52ff01d064ece2127ed90a04ef12cd0
    nvidia-cuda-nvrtc-cu12   12.5.82    24873108 3dbd97b0104b4bfbc3c4f8c79cd2496307c89c43c29a9f83125f1d76296ff3fd
    nvidia-cuda-runtime-cu12 12.5.82      895707 3e79a060e126df40fd3a068f3f787eb000fa51b251ec6cd97d09579632687115
    nvidia-cudnn-cu12        9.3.0.75  577163502 9ad9c6929ebb5295eb4a1728024666d1c88283373e265a0c5c883e6f9d5cd76d
    nvidia-cufft-cu12        11.2.3.61 192524114 9a6e8df162585750f61983a638104a48c756aa13f9f48e19ab079b38e3c828b8
    nvidia-curand-cu12       10.3.6.82  56309107 2823fb27de4e44dbb22394a6adf53aa6e1b013aca0f8c22867d1cfae58405536
    nvidia-cusolver-cu12     11.6.3.83 130341232 93cfafacde4428b71778eeb092ec615a02a3d05404da1bcf91c53e3fa1bce42b
    nvidia-cusparse-cu12     12.5.1.3  217558979 016df8e993c437e8301e62739f01775cba988fd5253cd4c64173f8e8d2f8e752
    nvidia-nvjitlink-cu12    12.5.82    21298879 f9b37bc5c8cf7509665cb6ada5aaa0ce65618f2332b7d3e78e9790511f111212
`);
const NCCL = wheels(`
    nvidia-nccl-cu12         2.21.5    188654414 8579076d30a8c24988834445f8d633c697d42397e92ffc3f63fa26766d25e0a0
    nvidia-nccl-cu12         2.27.7    322546339 de5ba5562f08029a19cb1cd659404b18411ed0d6c90ac5f52f30bf99ad5809aa
`);

function wheels(table: string): Wheel[] {
  const rows = table.trim().split('\n');
  return rows.map((row) => {
    const [name = '', version = '', size = '', sha256 = ''] = row.trim().split(/ +/);
    return { name, version, size: Number(size), sha256 };
  });
}

const linux = (device: Build['device'], version: string, disk: number, more: readonly Wheel[] = []): Build => ({
  platform: 'linux-x64',
  device,
  version,
  wheels: [...TENSORFLOW[device].filter((wheel) => wheel.version === version), ...more],
  disk,
  pip: { python: '3.11', platforms: ['manylinux_2_27_x86_64', 'manylinux_2_17_x86_64', 'manylinux2014_x86_64'] },
});

/** The default version first. */
export const BUILDS: readonly Build[] = [
  linux('cpu', '2.18.1', 700_000_000),
  linux('cuda', '2.18.1', 4_000_000_000, [...CUDA, ...NCCL.filter(({ version }) => version === '2.21.5')]),
  linux('cpu', '2.21.0', 900_000_000),
  linux('cuda', '2.21.0', 4_200_000_000, [...CUDA, ...NCCL.filter(({ version }) => version === '2.27.7')]),
];

/** TensorFlow versions that are pinned, and that the addon was built against and tried with; the default first. */
export const VERSIONS = [...new Set(BUILDS.map(({ version }) => version))];

/** What a runtime is wanted for. */
export interface Want {
  device: Build['device'];
  /** TensorFlow's version, one that is pinned; any that is installed, else the default, where it is left out. */
  tensorflow?: string | undefined;
  /** A folder laid out like the wheel's `tensorflow`: the two libraries and `include`. Also BN_TRAIN_RUNTIME_DIR. */
  runtimeDir?: string | undefined;
}

/** The hint wherever the disk is full. */
export const FREE_SPACE = 'free some space, or choose another cache with XDG_CACHE_HOME';

/** The command that installs a build. */
export function setupCommand({ device, version }: Build): string {
  const cuda = device === 'cuda' ? ' --cuda' : '';
  return toType(`setup${cuda}${version === VERSIONS[0] ? '' : ` --tensorflow ${version}`}`);
}

/** The libraries as they are named in TensorFlow's wheel. */
export const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'] as const;

/** The pinned builds for a platform that would do, the one to install first; on the CPU one with CUDA computes too. */
export function findBuilds(platform: string, { device, tensorflow }: Want): Build[] {
  const here = BUILDS.filter((build) => build.platform === platform && (tensorflow ?? build.version) === build.version);
  const exact = here.filter((build) => build.device === device);
  return device === 'cpu' ? [...exact, ...here.filter((build) => build.device === 'cuda')] : exact;
}

/** The pinned build for a platform ("linux-x64"). Throws a BnTrainError where there is none. */
export function buildFor(platform: string, want: Want = { device: 'cpu' }): Build {
  assertPinned(want.tensorflow);
  const [build] = findBuilds(platform, want);
  if (build) return build;
  const musl = platform.endsWith('-musl');
  const platforms = [...new Set(BUILDS.map((each) => each.platform))];
  throw cannot('install TensorFlow', {
    expected: `one of the platforms ${platforms.join(', ')}${musl ? ', with glibc' : ''}`,
    got: musl ? `${platform}: this Linux has another C library` : platform,
    hint: "use --backend wasm, which runs everywhere, or name a folder with TensorFlow's libraries: --runtime-dir DIR",
  });
}

/** Throws a BnTrainError for a version of TensorFlow that is not pinned. */
export function assertPinned(version: string | undefined): void {
  if (version === undefined || VERSIONS.includes(version)) return;
  throw cannot('use this TensorFlow', {
    expected: `one of the pinned versions ${VERSIONS.join(', ')}`,
    got: version,
    exitCode: EXIT.usage,
  });
}

/** "linux-x64"; "linux-x64-musl" where the C library is not glibc, which the pinned builds need. */
export function thisPlatform(): string {
  const platform = `${process.platform}-${process.arch}`;
  if (process.platform !== 'linux') return platform;
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined ? `${platform}-musl` : platform;
}
