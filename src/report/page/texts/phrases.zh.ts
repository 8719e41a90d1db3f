/** Chinese for what claims bring along in English, word by word: measures, units, names of lines and axes, remarks. */

export const PHRASES: Record<string, string> = {
  'percentage points': '个百分点',
  'percentage point': '个百分点',
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
  'At initialization only: how it goes on is in the last picture.': '仅指初始化时；之后的情况见最后一张图。',
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
