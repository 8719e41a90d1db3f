/** Chinese words of what every page has. */
import type { page as english } from './page.en.js';

export const page: typeof english = {
  lang: 'zh-CN',
  skip: '跳到正文',
  theme: '浅色 / 深色',
  contents: '目录',
  sentences: (all) => all.join(''),
  list: (items) => items.join('，'),
  lists: (all) => all.join('；'),
  copy: '复制',
  copied: '已复制',
  madeBy: (version) => `由 bn-train ${version} 仅根据本地文件夹生成，不从网络加载任何内容。`,
  figure: {
    table: '以表格查看数据',
    series: '显示或隐藏各条数据',
    group: '组别',
    mean: '均值',
    values: '各个取值',
    everyRow: (shown, all) => `共 ${all} 行，均匀选取其中 ${shown} 行。`,
  },
};
