/** Chinese words of a study's page. */
import { formatBytes, formatCount } from '../../../common/format.js';
import { claims } from './claims.zh.js';
import { translated } from './phraseRules.zh.js';
import { signed, type study as english } from './study.en.js';

export const study: typeof english = {
  title: '批量规范化到底做了什么？',
  lead: (count, trials) =>
    `关于批量规范化的 ${count} 个论断，每一个都用实际训练来检验；检验规则在任何训练开始之前就已写定。共 ${formatCount(trials)} 次训练。`,
  counts: { holds: '成立的论断', 'does not hold': '不成立的论断', undecided: '未定的论断' },
  quick: '这是快速版：随机种子和轮数较少，每个结论按 95 % 判定，未对多个论断同时检验做校正。最终结论以完整研究为准。',
  quickLook: '快速版',
  verdicts: { holds: '成立', 'does not hold': '不成立', undecided: '未定' },
  titles: Object.fromEntries(Object.entries(claims).map(([id, { title }]) => [id, title])),
  verdictsTitle: '结论',
  verdictsNote: (level) =>
    `若跨随机种子的 ${level} 区间完全落在判据要求的范围内，则论断成立；完全落在范围外，则不成立；介于两者之间，则未定。`,
  headings: {
    claim: '论断',
    verdict: '结论',
    effect: '效应',
    interval: '区间',
    interval95: '95 % 区间',
    criterion: '判据',
    literature: '文献',
    measure: '度量',
    also: '另外测得',
    value: '数值',
  },
  leftOut: (title, why) => `未包含：${title}。${why}`,
  claimed: '论断：',
  numbers: '数据',
  numbersOf: (title) => `数据：${title}`,
  secondary: '附带结果（不作判定）',
  secondaryOf: (title) => `附带结果：${title}`,
  literature: '文献：',
  provenance: '这些结果从何而来',
  effectLabel: (title) => `${title}：每个随机种子一个点，横条为均值及其区间，虚线为判据的界限`,
  margin: (value) => `界限 ${value}`,
  published: (value) => `文献 ${value}`,
  facts: {
    seeds: '随机种子',
    trials: '训练',
    trialsOf: (count) => `${formatCount(count)} 次训练，每次对应文件夹 trials 中的一个文件`,
    registration: '预先登记',
    data: '数据集',
    machine: '机器',
    machineOf: ({ cpu, cores, memory, platform }) => `${cpu}，${cores} 核，${formatBytes(memory)}，${platform}`,
    versions: '版本',
    seconds: '计算时间',
    secondsOf: (seconds) =>
      seconds < 60 ? `${seconds.toFixed(1)} 秒` : `${Math.floor(seconds / 60)} 分 ${Math.round(seconds % 60)} 秒`,
    finished: '完成时间',
    command: '重新计算：',
  },
  explorer: {
    title: '各种学习率，各种网络',
    lead: '以下训练均已完成。格中的数字是训练结束时的训练精度（对随机种子取平均）；下图是每个随机种子在每个小批量上的损失，未做平滑。',
    play: '点按一个数字，即可在下方查看对应的曲线。',
    norms: {
      none: '无规范化',
      batch: '批量规范化',
      builtin: '内置的批量规范化',
      noisy: '批量规范化后加噪声',
      group: '组规范化',
    },
    corner: '学习率',
    cell: (norm, rate, accuracy) => `${norm}，学习率 ${rate}：训练精度 ${accuracy}`,
    curves: (norm, rate) => `训练损失：${norm}，学习率 ${rate}`,
    diverged: (count) => `${count} 次发散`,
    step: '小批量',
    guessing: '随机猜测',
    loss: '损失',
    nats: 'nat',
    table: '表中的每一次训练',
    columns: ['网络', '学习率', '随机种子', '结束时的训练精度', '结束时的损失（nat）', '结果'],
    outcomes: { finished: '完成', diverged: '发散' },
    recipe: (epochs, batchSize, examples) =>
      `LeNet，${formatCount(examples)} 张图像训练 ${epochs} 轮，批量大小 ${batchSize}。`,
  },
  said: (claim) => claims[claim.claim] ?? { ...claim, literature: claim.literature.text },
  phrase: (text) => signed(translated(text)),
};
