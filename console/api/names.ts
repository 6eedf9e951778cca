// What things are called whose ids stand in usage, invoices and jobs.
import { useMemo } from 'react';
import { useRoute } from './queries.ts';

const most = { query: { limit: 1000 } };

/** The name of a trained model by its id; others are called as they are. Models of one name are told apart by the end of their ids. */
export function useModelNames(): (id: string) => string {
  const { data } = useRoute('listTrainedModels', most);
  return useMemo(() => {
    const models = data?.data ?? [];
    const names = new Map(
      models.map(({ model_id: id, name }) => {
        const isShared = models.some(other => other.name === name && other.model_id !== id);
        return [id, name === null ? id : isShared ? `${name} (…${id.slice(-4)})` : name];
      }),
    );
    return (id: string) => names.get(id) ?? id;
  }, [data]);
}

/** What a job is about: the model that it trains, or the dataset that it made a version of; null when that is gone, or not known yet. */
export function useJobSubject(): (job: { job_id: string; result?: unknown }) => string | null {
  const { data: models } = useRoute('listTrainedModels', most);
  const { data: datasets } = useRoute('listDatasets', most);
  return job => {
    const { dataset_id: dataset, model_id: model } = (job.result ?? {}) as Record<string, unknown>;
    const trained = models?.data.find(each => each.job_id === job.job_id || each.model_id === model);
    return trained?.name ?? datasets?.data.find(each => each.dataset_id === dataset)?.name ?? null;
  };
}
