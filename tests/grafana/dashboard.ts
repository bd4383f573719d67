// What a dashboard of ours may hold, by the types that Grafana publishes.
//
// They leave open what a panel has of its own (`options`, `fieldConfig.defaults.custom`,
// the values of overrides): here the type of the panel decides. A file of Grafana holds
// the values of its enumerations, not their names, so `Plain` takes those.

import type * as grafana from '@grafana/schema';
import type * as barGauge from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type * as gauge from '@grafana/schema/dist/esm/raw/composable/gauge/panelcfg/x/GaugePanelCfg_types.gen';
import type * as stateTimeline from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as text from '@grafana/schema/dist/esm/raw/composable/text/panelcfg/x/TextPanelCfg_types.gen';
import type * as timeSeries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

type Plain<T> = T extends string
  ? string extends T
    ? T
    : `${T}`
  : T extends number | boolean | null | undefined
    ? T
    : T extends Array<infer Item>
      ? Array<Plain<Item>>
      : T extends object
        ? { [Key in keyof T]: Plain<T[Key]> }
        : T;

// A query as the data source of Prometheus reads it; no package on npm has its type.
interface Query {
  refId: string;
  datasource: { type: 'prometheus'; uid: string };
  expr: string;
  editorMode?: 'code' | 'builder';
  exemplar?: boolean;
  format?: 'time_series' | 'table' | 'heatmap';
  hide?: boolean;
  instant?: boolean;
  interval?: string;
  legendFormat?: string;
  range?: boolean;
}

// Data links; the type of Grafana leaves them open.
interface Link {
  title: string;
  url: string;
  targetBlank: boolean;
}

type Standard = Omit<Plain<grafana.FieldConfig>, 'custom' | 'links'> & { links?: Link[] };

type Property<Custom> =
  | { [Key in keyof Standard]-?: { id: Key; value: Standard[Key] } }[keyof Standard]
  | { [Key in keyof Custom & string]-?: { id: `custom.${Key}`; value: Custom[Key] } }[keyof Custom & string];

type Matcher =
  | { id: 'byName' | 'byRegexp' | 'byType' | 'byFrameRefID'; options: string };

interface Panel<Type extends string, Options, Custom>
  extends Omit<Plain<grafana.Panel>, 'type' | 'options' | 'fieldConfig' | 'targets'> {
  id: number;
  type: Type;
  options: Plain<Options>;
  fieldConfig: {
    defaults: Standard & { custom?: Partial<Plain<Custom>> };
    overrides: Array<{ matcher: Matcher; properties: Array<Property<Plain<Custom>>> }>;
  };
  targets: Query[];
}

interface TextPanel extends Omit<Plain<grafana.Panel>, 'type' | 'options'> {
  id: number;
  type: 'text';
  options: Plain<text.Options>;
}

type AnyPanel =
  | Panel<'timeseries', timeSeries.Options, timeSeries.FieldConfig>
  | Panel<'state-timeline', stateTimeline.Options, stateTimeline.FieldConfig>
  | Panel<'table', table.Options, table.FieldConfig>
  | Panel<'stat', stat.Options, {}>
  | Panel<'gauge', gauge.Options, {}>
  | Panel<'bargauge', barGauge.Options, {}>
  | TextPanel;

interface Row extends Omit<Plain<grafana.RowPanel>, 'panels'> {
  panels: AnyPanel[];
}

// A query of Prometheus stands beside the fields that the type has.
type Annotation = Omit<Plain<grafana.AnnotationQuery>, 'target'> & {
  expr?: string;
  step?: string;
  tagKeys?: string;
  textFormat?: string;
  titleFormat?: string;
  useValueForTime?: boolean | 'on' | 'off';
  target?: Query;
};

// Grafana has these for intervals alone, and passes over them elsewhere.
type Variable = Plain<grafana.VariableModel> & {
  auto?: boolean;
  auto_min?: string;
  auto_count?: number;
};

export interface Dashboard
  extends Omit<Plain<grafana.Dashboard>, 'panels' | 'annotations' | 'templating'> {
  uid: string;
  title: string;
  panels: Array<AnyPanel | Row>;
  annotations?: { list?: Annotation[] };
  templating?: { list?: Variable[] };
}
