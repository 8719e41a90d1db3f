/** The claims in Chinese, as the registration has them in English. */

interface Claim {
  title: string;
  text: string;
  question: string;
  hypothesis: string;
  literature: string;
}

export const claims: Record<string, Claim> = {
  'moving-average': {
    title: '移动平均滞后',
    text: '移动平均滞后于权重：使用总体统计量，测试精度更高也更稳定。',
    question: '带批量规范化的网络在训练过程中，测试精度为什么忽高忽低？',
    hypothesis: '学习率为 1 时，对同一组权重，使用总体统计量的测试精度比使用移动平均高，各轮平均高出一个百分点以上。',
    literature: '1,000 到 10,000 张图像就足以估计总体统计量；批量较大时，移动平均波动很大',
  },
  'vanishing-gradients': {
    title: '梯度穿过 sigmoid 而不消失',
    text: '在很深的 sigmoid 网络中，批量规范化使梯度不致消失。',
    question: '在 20 层 sigmoid 网络的第一层，梯度还剩多少？',
    hypothesis:
      '初始化时，没有批量规范化的每个 sigmoid 层都会在向输入传播时使梯度范数减少一半以上；有批量规范化时，减少不到五分之一。',
    literature: '使用 sigmoid 的 Inception 没有批量规范化时停留在随机水平（1/1,000），使用后达到 69.8 %',
  },
  'exploding-gradients': {
    title: '梯度在 ReLU 网络中爆炸',
    text: '在很深的 ReLU 网络中，批量规范化使梯度在初始化时爆炸。',
    question: '批量规范化总能使梯度变得温和吗？',
    hypothesis:
      '在 20 层 ReLU 网络中，使用批量规范化时，梯度范数朝输入方向每层增大 √(π/(π − 1)) ≈ 1.211 倍；不使用时保持不变。',
    literature: '无论权重的方差如何，增长都随深度呈指数；对于很宽的层，每层 √(π/(π − 1)) 倍',
  },
  convergence: {
    title: '收敛所需的步数更少',
    text: '带批量规范化的网络用更少的步数收敛。',
    question: '如果每个网络都使用各自最合适的学习率，能省下多少步？',
    hypothesis: '各自使用最合适的学习率，达到训练损失 1 时，没有批量规范化的网络需要 1.5 倍以上的步数。',
    literature: '学习率相同时步数为 2.3 倍，使用最合适的学习率时为 14 倍（Inception 达到 72.2 %）',
  },
  'learning-rates': {
    title: '可以使用更大的学习率',
    text: '批量规范化能承受更大的学习率。',
    question: '每个网络仍能训练的最大学习率是多少？',
    hypothesis: '使用批量规范化时，仍能训练的最大学习率高出半个数量级以上。',
    literature: '没有批量规范化的 Inception 在 5 倍学习率下发散到无穷；使用后在 30 倍下仍能训练',
  },
  'final-accuracy': {
    title: '最终的精度相近',
    text: '训练到最后，两个网络的精度大致相同。',
    question: '如果两个网络都训练足够久，带批量规范化的会更好吗？',
    hypothesis: '各自使用最合适的学习率训练 15 轮后，测试精度相差不到一个百分点。',
    literature: '学习率相同时，不使用为 72.2 %，使用为 72.7 %（Inception）',
  },
  noise: {
    title: '原因并非分布稳定',
    text: '原因并不是分布变得稳定：在批量规范化之后加入噪声，它仍然有效。',
    question: '它有效，是因为各层输入的分布保持不变吗？',
    hypothesis:
      '在批量规范化之后每一步都扰动分布的网络，达到训练损失 1 的速度仍是没有批量规范化的网络的 1.5 倍以上，而它的分布更不稳定。',
    literature: '在批量规范化之后加噪声的网络比没有批量规范化的更不稳定，却训练得更好（VGG，CIFAR-10）',
  },
  'scale-invariance': {
    title: '权重的尺度相当于学习率',
    text: '在批量规范化之前的权重，其尺度只改变有效学习率。',
    question: '如果把批量规范化之前的所有权重都乘以 10，会发生什么？',
    hypothesis:
      '损失不变，梯度除以该倍数，权重范数的平方随更新量范数的平方增长；若学习率随倍数的平方变化，训练过程相同。',
    literature: '有效学习率与“学习率 ÷ 权重范数的平方”成正比',
  },
  regularization: {
    title: '具有正则化作用',
    text: '批量规范化具有正则化作用。',
    question: '当训练图像上的损失相同时，其他图像上的损失会更小吗？',
    hypothesis: '使用 6,000 张训练图像，在训练损失相同时，带批量规范化的网络的测试损失与训练损失之差要小 0.02 以上。',
    literature: '批量规范化起到正则化的作用，批量越大，作用越弱',
  },
  'small-batches': {
    title: '小批量损害它',
    text: '小批量损害批量规范化，而不损害组规范化。',
    question: '如果一个批量只有两张图像，批量规范化会怎样？',
    hypothesis:
      '训练图像数相同时，批量大小从 32 降到 2，带批量规范化的网络损失两个百分点以上的精度，并且比带组规范化的网络多损失两个百分点以上。',
    literature:
      '批量大小为 32 和 2 时的错误率：批量规范化为 23.6 % 和 34.7 %，组规范化为 24.1 % 和 24.1 %（ResNet-50，ImageNet）',
  },
};
