// The routes of the data platform: files in, datasets out, in versions. The API reference of Vectorial names the first two.
import { processDataset } from './dataset-process.ts';
import {
  listDatasets,
  getDataset,
  getProfile,
  getRows,
  downloadDataset,
  patchDataset,
  deleteDataset,
} from './dataset-reading.ts';
import {
  uploadDataset,
  putDataset,
  createResumableUpload,
  getResumableUpload,
  continueResumableUpload,
  deleteResumableUpload,
} from './dataset-uploads.ts';
import type { Route } from './route.ts';

export { downloadFormats, maxRowsPerPage, previewRows, uploadFormats } from './dataset-shapes.ts';

export const datasetRoutes = {
  uploadDataset,
  putDataset,
  createResumableUpload,
  getResumableUpload,
  continueResumableUpload,
  deleteResumableUpload,
  listDatasets,
  getDataset,
  getProfile,
  getRows,
  downloadDataset,
  patchDataset,
  deleteDataset,
  processDataset,
} satisfies Record<string, Route>;
