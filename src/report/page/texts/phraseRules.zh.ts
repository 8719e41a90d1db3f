/** Chinese for what claims bring along in English with numbers or other phrases in it. */
import { PHRASES } from './phrases.zh.js';

type Rule = [RegExp, (...parts: string[]) => string];

/** What has numbers or other phrases in it, the longest first. */
const RULES: Rule[] = [
  [
    /^interval wholly (above|below) (\S+) ?(.*)$/,
    (side, end, unit) => `区间完全${side === 'above' ? '高于' : '低于'} ${end} ${translated(unit)}`,
  ],
  [
    /^interval wholly between (\S+) and (\S+) ?(.*)$/,
    (low, high, unit) => `区间完全介于 ${low} 与 ${`${high} ${translated(unit)}`.trim()}之间`,
  ],
  [
    /^(.+): the best learning rate is ([^\s,]+?)(, at the edge of the grid, which may have been too short)?\.$/,
    (arm, rate, edge) =>
      `${translated(arm)}：最合适的学习率是 ${rate}${edge ? '，位于网格边缘，网格可能不够长' : ''}。`,
  ],
  [
    /^every seed (above|below) (\S+) ?(.*)$/,
    (side, end, unit) => `每个随机种子都${side === 'above' ? '高于' : '低于'} ${end} ${translated(unit)}`,
  ],
  [
    /^Undecided, as the claim was not put to the test: (.+)\.$/,
    (measure) => `未定，因为论断没有得到检验：${translated(measure)}。`,
  ],
  [
    /^gradient's norm, layer by layer towards the input, (.+)$/,
    (arm) => `朝输入方向逐层的梯度范数，${translated(arm)}`,
  ],
  [/^growth of the gradient's norm towards the input, (.+)$/, (arm) => `梯度范数朝输入方向的增长，${translated(arm)}`],
  [/^gradient of the first layer ÷ of the last, (.+)$/, (arm) => `第一层的梯度 ÷ 最后一层的梯度，${translated(arm)}`],
  [/^the same, each ÷ the norm of its weights, (.+)$/, (arm) => `同上，各除以其权重的范数，${translated(arm)}`],
  [
    /^training accuracy of (\d+) layers after their first images, (.+)$/,
    (layers, arm) => `${layers} 层网络学过最初的图像后的训练精度，${translated(arm)}`,
  ],
  [
    /^Gradient of each of (\d+) sigmoid layers, ÷ that of the last$/,
    (layers) => `${layers} 个 sigmoid 层各自的梯度 ÷ 最后一层的梯度`,
  ],
  [
    /^Gradient of each ReLU layer at initialization, ÷ that of layer (\d+)$/,
    (layer) => `初始化时各 ReLU 层的梯度 ÷ 第 ${layer} 层的梯度`,
  ],
  [
    /^Training accuracy of the last (\d+) batches; 0 where a run diverged$/,
    (count) => `最后 ${count} 个小批量的训练精度；发散的训练为 0`,
  ],
  [/^training loss, mean of the last (\d+) batches$/, (count) => `训练损失，最近 ${count} 个小批量的均值`],
  [
    /^\|Δ mean\| \+ \|Δ deviation\|, mean of the last (\d+) steps$/,
    (count) => `|Δ 均值| + |Δ 标准差|，最近 ${count} 步的均值`,
  ],
  [/^growth with batches of (\d+)$/, (size) => `批量大小为 ${size} 时的增长`],
  [/^growth after (\d+) steps? at learning rate (\S+)$/, (steps, rate) => `学习率 ${rate}，${steps} 步之后的增长`],
  [/^after (\d+) steps?$/, (steps) => `${steps} 步之后`],
  [/^the same gap at learning rate (\S+)$/, (rate) => `学习率 ${rate} 时的同一差距`],
  [/^(learning rate) (\S+)$/, (_, rate) => `学习率 ${rate}`],
  [
    /^(.+): moving averages here that are lower than its (\S+)$/,
    (run, accuracy) => `${translated(run)}：此处低于其 ${accuracy} 的移动平均所占比例`,
  ],
  [
    /^relative change of the first loss, weights (\d+) and (\d+) times$/,
    (one, other) => `首个损失的相对变化，权重 ${one} 倍与 ${other} 倍`,
  ],
  [
    /^(?:largest )?relative change of a (?:layer's )?gradient × factor, weights (\d+) and (\d+) times$/,
    (one, other) => `梯度 × 倍数的最大相对变化，权重 ${one} 倍与 ${other} 倍`,
  ],
  [
    /^largest difference of a loss in (\d+) steps, weights (\d+) and (\d+) times$/,
    (steps, one, other) => `${steps} 步内损失的最大差异，权重 ${one} 倍与 ${other} 倍`,
  ],
  [
    /^lost from batches of (\d+) to (\d+), (.+)$/,
    (large, small, arm) => `批量大小从 ${large} 降到 ${small} 损失的精度，${translated(arm)}`,
  ],
  [
    /^test accuracy lost from batches of (\d+) to batches of (\d+), batch − group normalization$/,
    (large, small) => `批量大小从 ${large} 降到 ${small} 损失的测试精度，批量规范化 − 组规范化`,
  ],
  [
    /^test accuracy lost from batches of (\d+) to batches of (\d+), (.+)$/,
    (large, small, arm) => `批量大小从 ${large} 降到 ${small} 损失的测试精度，${translated(arm)}`,
  ],
  [/^(.+) with the moving average$/, (arm) => `${translated(arm)}，使用移动平均`],
  [
    /^(.+): the limit lies (between .+|\S+ or above.*)\.$/,
    (arm, places) => `${translated(arm)}：界限${places.split(', or ').map(translated).join('，或')}。`,
  ],
  [/^between (\S+) and (\S+)$/, (low, high) => `在 ${low} 与 ${high} 之间`],
  [/^(\S+) or above$/, (low) => `为 ${low} 或更高`],
  [
    /^(.+): for (\d+) of (\d+) seeds the limit lies outside the rates that they ran at; the tuning seeds' is taken there\.$/,
    (arm, count, all) =>
      `${translated(arm)}：${all} 个随机种子中有 ${count} 个的界限在所试学习率之外，此时采用调参种子的界限。`,
  ],
  [
    /^(.+) was tried at the largest rate of the grid, which was too short\.$/,
    (arm) => `${translated(arm)}在最大的学习率下仍能训练：所试的学习率范围不够大。`,
  ],
  [
    /^The constant ε = (\S+) in batch normalization is not scaled: it makes the difference between weights 1 and (\d+) times, and no longer counts from there to (\d+) times\.$/,
    (epsilon, one, other) =>
      `批量规范化中的常数 ε = ${epsilon} 不随之缩放：权重 1 倍与 ${one} 倍的差异由它造成，而从 ${one} 倍到 ${other} 倍它已无影响。`,
  ],
  [
    /^(\d+) of (\d+) runs of (.+) never reached a training loss of (\S+?)(?:, .+)?; their steps are bounds\.$/,
    (missed, all, arm, target) =>
      `${translated(arm)}的 ${all} 次训练中有 ${missed} 次始终没有达到训练损失 ${target}；它们的步数是下界。`,
  ],
  [
    /^(\d+) runs diverged; they count with the epochs before\.$/,
    (count) => `${count} 次训练发散，按发散之前的各轮计。`,
  ],
  [
    /^(\d+) runs diverged and count as guessing, with an accuracy of (\S+)\.$/,
    (count, chance) => `${count} 次训练发散，按随机猜测计，精度为 ${chance}。`,
  ],
  [/^(\d+) trials are missing\.$/, (count) => `缺少 ${count} 次训练。`],
  [/^(\d+) epochs of ten runs do not fit into three minutes$/, (epochs) => `十次训练各 ${epochs} 轮，三分钟内无法完成`],
  [
    /^(gap there|gap after the last epoch|test accuracy), (.+)$/,
    (what, arm) =>
      `${what === 'test accuracy' ? '测试精度' : what === 'gap there' ? '该处的差距' : '最后一轮的差距'}，${translated(arm)}`,
  ],
  [/^(.+), weights (\d+) ×$/, (arm, factor) => `${translated(arm)}，权重 ${factor} 倍`],
  [
    /^(.+), (population statistics|moving average|training images|test images|without batch normalization)$/,
    (one, other) => `${translated(one)}，${translated(other)}`,
  ],
];

/** A phrase that nobody has translated stays English. */
export function translated(text: string): string {
  const whole = PHRASES[text];
  if (whole !== undefined) return whole;
  for (const [pattern, say] of RULES) {
    const [, ...parts] = pattern.exec(text) ?? [];
    if (parts.length > 0) return say(...parts).trim();
  }
  return text;
}
