/** Chinese for what claims bring along in English: measures, units, criteria, names of lines and axes, remarks. */

const PHRASES: Record<string, string> = {
  'percentage points': '个百分点',
  'per layer': '倍/层',
  times: '倍',
  nats: 'nat',
  decades: '个数量级',
  // Networks and statistics.
  none: '无批量规范化',
  without: '无批量规范化',
  'without batch normalization': '无批量规范化',
  'with batch normalization': '有批量规范化',
  'batch normalization': '批量规范化',
  'group normalization': '组规范化',
  'batch normalization with noise': '批量规范化加噪声',
  'moving average': '移动平均',
  population: '总体统计量',
  'population statistics': '总体统计量',
  "each batch's own": '各批量自身的统计量',
  'training images': '训练图像',
  'test images': '测试图像',
  'as it is': '未校正',
  'corrected for its start at 0 and 1': '校正初值 0 和 1 的影响',
  'batch normalization − none': '批量规范化 − 无',
  'each at its own best learning rate': '各用最合适的学习率',
  // Axes and reference lines.
  epoch: '轮',
  step: '步',
  loss: '损失',
  network: '网络',
  'learning rate': '学习率',
  'test accuracy': '测试精度',
  target: '目标',
  margin: '界限',
  'the same': '相同',
  'first ÷ last': '第一层 ÷ 最后一层',
  'hidden layers': '隐藏层数',
  'layer, from the input on': '层（从输入起）',
  'images a batch': '批量大小',
  'norm of the weights': '权重的范数',
  "norm of the weights' gradient": '权重梯度的范数',
  "norm of the gradient of the layer's output": '层输出的梯度范数',
  'training loss of the batch': '小批量的训练损失',
  'target: training loss': '目标：训练损失',
  'test loss − training loss': '测试损失 − 训练损失',
  'population statistics − moving average': '总体统计量 − 移动平均',
  'steps, none ÷ batch normalization': '步数之比，无 ÷ 批量规范化',
  'batches that it remembers, 1 ÷ (1 − momentum)': '所记住的批量数，1 ÷ (1 − 动量)',
  'learning rate ÷ squared norm of the weights': '学习率 ÷ 权重范数的平方',
  'theory, √(π/(π − 1)) a layer': '理论值，每层 √(π/(π − 1))',
  'reference run, from scratch': '参考结果，从零实现',
  'reference run, built-in': '参考结果，框架内置',
  // Measures.
  'test accuracy with population statistics − with the moving average, mean over epochs':
    '使用总体统计量与使用移动平均的测试精度之差，各轮平均',
  'steps to the target loss, none ÷ batch normalization, each at its best learning rate':
    '达到目标损失的步数之比，无 ÷ 批量规范化，各用最合适的学习率',
  'steps to the target loss, none ÷ batch normalization with noise, both at learning rate 1':
    '达到目标损失的步数之比，无 ÷ 批量规范化加噪声，学习率均为 1',
  "change of the layers' inputs from step to step, batch normalization with noise ÷ none":
    '各层输入逐步变化之比，批量规范化加噪声 ÷ 无',
  'log10 of the largest learning rate that trains, batch normalization − none':
    '仍能训练的最大学习率的 log10，批量规范化 − 无',
  'test accuracy after the last epoch, batch normalization − none': '最后一轮的测试精度，批量规范化 − 无',
  'growth of the squared norm of the weights against that of the updates, relative difference':
    '权重范数平方的增长与更新量之和的相对差异',
  'test loss − training loss at equal training loss, batch normalization − none':
    '训练损失相同时测试损失与训练损失之差，批量规范化 − 无',
  'exact sign test over seeds, two-sided p': '对随机种子的精确符号检验，双侧 p 值',
  'deviation over epochs, moving average': '各轮之间的标准差，移动平均',
  'deviation over epochs, population statistics': '各轮之间的标准差，总体统计量',
  'epochs at which population statistics are better': '总体统计量更好的轮次所占比例',
  'the same, both at learning rate 1': '同上，学习率均为 1',
  'difference half-way': '训练过半时的差',
  'difference, with the test images drawn anew as well as the seeds (bootstrap)':
    '同时对随机种子和测试图像重抽样的差（自助法）',
  'steps, none ÷ batch normalization without noise': '步数之比，无 ÷ 不加噪声的批量规范化',
  'change of the inputs, batch normalization without noise ÷ none': '输入变化之比，不加噪声的批量规范化 ÷ 无',
  'growth of the squared norm against that of the updates without batch normalization, relative difference':
    '无批量规范化时，权重范数平方的增长与更新量之和的相对差异',
  'training loss at which the networks are compared': '比较网络时所处的训练损失',
  'batch − group normalization, with the moving average': '批量规范化 − 组规范化，使用移动平均',
  // Names of pictures.
  'Test accuracy of the same weights by whose statistics': '同一组权重，使用不同统计量的测试精度',
  'Test accuracy by momentum of the moving average, mean over epochs': '移动平均的动量与测试精度，各轮平均',
  'Gap by learning rate': '不同学习率下的差距',
  'Gradient of the first sigmoid layer ÷ that of the last, by depth':
    '第一个 sigmoid 层的梯度 ÷ 最后一层的梯度，随深度变化',
  'The same with batch normalization while it trains, ÷ that of the last layer':
    '使用批量规范化，在训练过程中，÷ 最后一层的梯度',
  'Training loss, each at its own best learning rate': '训练损失，各用最合适的学习率',
  'Training loss at learning rate 1': '学习率为 1 时的训练损失',
  'Ratio of steps by target': '不同目标下的步数之比',
  'Test accuracy, each at its own best learning rate': '测试精度，各用最合适的学习率',
  'Difference after the last epoch, seed by seed': '最后一轮的差，逐个随机种子',
  "How far the statistics of the layers' inputs move from one step to the next":
    '各层输入的统计量在相邻两步之间移动多少',
  "Training loss with weights multiplied, their learning rate by the factor's square":
    '权重乘以倍数、学习率乘以倍数平方时的训练损失',
  'Weights in front of batch normalization only grow': '批量规范化之前的权重只增不减',
  'so the effective learning rate falls by itself': '因此有效学习率自行下降',
  'Loss in inference on images that were learned from, and on others': '预测模式下，训练图像与其他图像上的损失',
  'Gap at equal training loss': '训练损失相同时的差距',
  'Test accuracy after equally many images': '训练图像数相同时的测试精度',
  // Remarks.
  "The gradient's norm is not free of the weights' scale, so the second pair of numbers divides by it. That gradients vanish at initialization does not prove that no training could start: other remedies are other weights to start with, and ReLUs.":
    '梯度范数与权重的尺度有关，因此第二组数字除以权重范数。初始化时梯度消失，并不能证明无法开始训练：换用别的初始权重或 ReLU 也是办法。',
  'At initialization only: how it goes on is in the second picture.': '仅指初始化时；之后的情况见第二张图。',
  'The grid leaves open where between two of its rates the limit lies; the interval is as wide as that, too.':
    '界限位于相邻两个学习率之间，具体位置无法得知；区间也相应地变宽。',
  'The interval over seeds does not contain that other test images would give other accuracies; the bootstrap does.':
    '对随机种子的区间没有包含更换测试图像带来的变化；自助法的区间包含了。',
  'Compared at the lowest training loss that every run reaches, in inference and with population statistics.':
    '在所有训练都能达到的最低训练损失处比较，采用预测模式和总体统计量。',
  'The learning rate is in proportion to the batch size, so that equally many images move the weights about equally far. A run that diverged counts as guessing.':
    '学习率与批量大小成正比，使相同数量的图像对权重的改变大致相同。发散的训练按随机猜测计。',
  'The curves of some seeds have no training loss in common, so that they give no number.':
    '有些随机种子的曲线没有共同的训练损失，因此没有给出数值。',
  'A run that diverged counts with the epochs before.': '发散的训练按发散之前的各轮计。',
};

type Rule = [RegExp, (...parts: string[]) => string];

/** What has numbers or other phrases in it, the longest first. */
const RULES: Rule[] = [
  [
    /^interval wholly (above|below) (\S+) ?(.*)$/,
    (side, end, unit) => `区间完全${side === 'above' ? '高于' : '低于'} ${end} ${translated(unit)}`,
  ],
  [
    /^interval wholly between (\S+) and (\S+) ?(.*)$/,
    (low, high, unit) => `区间完全介于 ${low} 与 ${high} ${translated(unit)} 之间`,
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
    /^(.+): the limit lies between (\S+) and (\S+)\.$/,
    (arm, low, high) => `${translated(arm)}：界限在 ${low} 与 ${high} 之间。`,
  ],
  [/^(.+): the limit lies (\S+) or above\.$/, (arm, low) => `${translated(arm)}：界限为 ${low} 或更高。`],
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
