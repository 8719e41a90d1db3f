/** Which layers of a model take which batch normalization in, found in the model's config alone, or why not. */
import { cannot } from '../common/errors.js';

/** A tensor of a model: the layer it comes from, which call of it, which of its outputs; then what its reader is called with. */
type Source = [layer: string, call: number, output: number, ...rest: unknown[]];

interface LayerConfig {
  className: string;
  config: Record<string, unknown>;
  name?: string;
  /** Of each call of the layer, what it reads. */
  inboundNodes?: Source[][];
}

/** A functional model's, or a sequential one's, which has no sources. */
export interface ModelConfig {
  name: string;
  layers: LayerConfig[];
  outputLayers?: Source[];
}

export interface Plan {
  /** The config of the model without batch normalization. */
  config: ModelConfig;
  /** The names of the batch normalization layers that each layer takes in, by its name, in their order. */
  into: ReadonlyMap<string, readonly string[]>;
  /** Of each model in it, by its name. */
  nested: ReadonlyMap<string, Plan>;
}

/** What is linear, and then adds a bias to each channel. */
const PRODUCERS = ['Dense', 'Conv1D', 'Conv2D', 'Conv3D', 'DepthwiseConv2D', 'SeparableConv2D'];
const TRANSPOSED = ['Conv2DTranspose', 'Conv3DTranspose'];
const NORMALIZERS = ['BatchNorm', 'BatchNormalization'];
/** What does nothing in inference. */
const IDLE = ['Dropout', 'SpatialDropout1D', 'GaussianNoise', 'GaussianDropout', 'AlphaDropout'];

/** Throws a BnTrainError that names a batch normalization layer, and what keeps it from being folded. */
export function planFold(config: ModelConfig): Plan {
  const graph = new ModelGraph(config);
  const into = new Map<string, string[]>();
  const nested = new Map<string, Plan>();
  for (const [name, layer] of graph.layers)
    if (isNormalizer(layer))
      for (const producer of graph.producersOf(name)) into.set(producer, [...(into.get(producer) ?? []), name]);
    else if (isModel(layer)) nested.set(name, planFold(layer.config as unknown as ModelConfig));
    else if (holdsNormalizer(layer))
      throw refusal(name, 'batch normalization as a layer of its own', `some in ${told(name, layer)}`);
  return { into, nested, config: graph.without((name, layer) => folded(layer, into.has(name), nested.get(name))) };
}

const isNormalizer = ({ className }: LayerConfig) => NORMALIZERS.includes(className);
const isModel = ({ config }: LayerConfig) => Array.isArray(config['layers']);

/** Whether it is, or has within it, batch normalization. */
function holdsNormalizer(layer: LayerConfig): boolean {
  const { layers = [], layer: wrapped } = layer.config as { layers?: LayerConfig[]; layer?: LayerConfig };
  return isNormalizer(layer) || [...layers, ...(wrapped ? [wrapped] : [])].some(holdsNormalizer);
}

/** What a timeDistributed layer computes with at each time; any other layer itself. */
function innerOf(layer: LayerConfig): LayerConfig {
  return layer.className === 'TimeDistributed' ? innerOf(layer.config['layer'] as LayerConfig) : layer;
}

/** The layers of a model and who reads whom. */
class ModelGraph {
  readonly layers: ReadonlyMap<string, LayerConfig>;
  /** Of each call of each layer, what it reads. */
  private readonly calls: ReadonlyMap<string, Source[][]>;

  constructor(private readonly config: ModelConfig) {
    const named = config.layers.map((layer) => [layer.name ?? (layer.config['name'] as string), layer] as const);
    this.layers = new Map(named);
    // Without sources each layer reads the one before.
    this.calls = new Map(
      named.map(([name, { inboundNodes }], i) => {
        const before = named[i - 1]?.[0];
        return [name, inboundNodes ?? [before === undefined ? [] : [[before, 0, 0]]]];
      }),
    );
  }

  /** The layers that take the batch normalization layer `name` in, one for each that it is called on. */
  producersOf(name: string): Set<string> {
    return new Set((this.calls.get(name) ?? []).map(([source]) => this.producerOf(name, name, source)));
  }

  /** The model's config without batch normalization, the other layers as `change` has them. */
  without(change: (name: string, layer: LayerConfig) => LayerConfig): ModelConfig {
    const kept = [...this.layers].filter(([, layer]) => !isNormalizer(layer));
    const layers = kept.map(([name, layer]) => {
      const inboundNodes = layer.inboundNodes?.map((inputs) => inputs.map((source) => this.behind(source)));
      return { ...change(name, layer), ...(inboundNodes && { inboundNodes }) };
    });
    const outputLayers = this.config.outputLayers?.map((source) => this.behind(source));
    return { ...this.config, layers, ...(outputLayers && { outputLayers }) };
  }

  /** Goes back from `reader` to what computes what the layer `name` normalizes. */
  private producerOf(name: string, reader: string, source?: Source): string {
    const [before = '', call = 0] = source ?? [];
    const layer = this.layers.get(before);
    const isPassed = layer && (isNormalizer(layer) || IDLE.includes(layer.className));
    const producer = layer && innerOf(layer);
    const isLinear = producer && [...PRODUCERS, ...TRANSPOSED].includes(producer.className);
    if (!layer || !producer || !(isPassed || isLinear))
      throw refusal(name, 'a convolution or a dense layer before it', layer ? told(before, layer) : 'the input');
    const others = this.readersOf(before).filter((other) => other !== reader);
    if (others.length > 0)
      throw refusal(name, `${before} to be read by ${reader} alone`, `${others.join(', ')} as well`);
    if (isPassed) return this.producerOf(name, before, this.calls.get(before)?.[call]?.[0]);
    // A config may hold null for what it leaves open.
    const { activation, dataFormat } = producer.config as { activation?: string | null; dataFormat?: string | null };
    if ((activation ?? 'linear') !== 'linear')
      throw refusal(name, `${before} to have no activation of its own`, activation as string);
    if (dataFormat === 'channelsFirst') throw refusal(name, `${before} to have its channels last`, dataFormat);
    return before;
  }

  private readersOf(name: string): string[] {
    const reads = (sources: Source[]) => sources.some(([layer]) => layer === name);
    const readers = [...this.calls].filter(([, calls]) => calls.some(reads)).map(([reader]) => reader);
    return reads(this.config.outputLayers ?? []) ? [...readers, "the model's output"] : readers;
  }

  /** What a source is once there is no batch normalization. */
  private behind([name, call, output, ...rest]: Source): Source {
    const layer = this.layers.get(name);
    const [before] = this.calls.get(name)?.[call] ?? [];
    if (!layer || !isNormalizer(layer) || !before) return [name, call, output, ...rest];
    const [source, index, which] = this.behind(before);
    return [source, index, which, ...rest];
  }
}

/** A layer that has taken batch normalization in has a bias, and nothing that is about how its weights are trained. */
function folded(layer: LayerConfig, takesIn: boolean, nested: Plan | undefined): LayerConfig {
  if (nested) return { ...layer, config: { ...nested.config } };
  if (!takesIn) return layer;
  const { layer: wrapped } = layer.config as { layer?: LayerConfig };
  if (wrapped) return { ...layer, config: { ...layer.config, layer: folded(wrapped, true, undefined) } };
  const kept = Object.entries(layer.config).filter(([key]) => !/(Regularizer|Constraint)$/.test(key));
  return { ...layer, config: { ...Object.fromEntries(kept), useBias: true } };
}

const told = (name: string, { className, config }: LayerConfig) =>
  `${name} (${[className, config['activation']].filter((word) => typeof word === 'string').join(' ')})`;

function refusal(name: string, expected: string, got: string) {
  return cannot(`fold ${name}`, {
    expected,
    got,
    hint: 'only what stands right after a convolution or a dense layer, before its activation, can be folded into it',
  });
}
